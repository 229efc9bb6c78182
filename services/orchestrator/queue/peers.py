"""Which processes are alive, by their heartbeats."""

BEATS_UNTIL_DEAD = 5


class Peers:
    """Counts time in this process's own heartbeats, as they come back to it over the bus.

    While the bus is away, or this process is paused, no beat comes back and no process grows older. So no two
    clocks are compared.
    """

    def __init__(self, own: str) -> None:
        self.own = own
        self._beats = 0
        self._heard: dict[str, int] = {}
        """By process, how many own beats had come back when it was heard last."""

    def hear(self, name: str) -> None:
        if name == self.own:
            self._beats += 1
        self._heard[name] = self._beats

    def dead_among(self, holders: set[str]) -> set[str]:
        """Those that were silent for five beats, counted from the first time that they were asked for."""
        for holder in holders:
            self._heard.setdefault(holder, self._beats)
        return {holder for holder in holders if self._is_silent(holder)}

    def _is_silent(self, name: str) -> bool:
        return name != self.own and self._beats - self._heard[name] >= BEATS_UNTIL_DEAD

    @property
    def alive(self) -> set[str]:
        return {name for name in self._heard if not self._is_silent(name)} | {self.own}

    @property
    def is_first(self) -> bool:
        """One process of those that are alive. For work that is needed once and may be done twice."""
        return self.own == min(self.alive)
