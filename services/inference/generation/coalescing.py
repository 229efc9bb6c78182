"""Decides when the text of a generation is sent: single tokens from a slow engine, several together from a
fast one."""


class Coalescer:
    """Collects text, and says how long it has to wait. All times are seconds of one clock.

    The first text is sent at once. After each message at least `interval` seconds pass until the next one. So
    a fast engine causes at most one message an interval, and a slow engine's text is never delayed.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._collected: list[str] = []
        self._next_at = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._collected)

    def add(self, text: str) -> None:
        self._collected.append(text)

    def wait(self, now: float) -> float:
        """Seconds until the collected text is due; 0 or less: it is due now."""
        return self._next_at - now

    def take(self, now: float) -> str:
        """Returns all collected text, which the caller sends now; empty where there is none."""
        text = "".join(self._collected)
        self._collected.clear()
        if text:
            self._next_at = now + self._interval
        return text
