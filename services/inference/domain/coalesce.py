"""When the text of a generation leaves: a token at once while they are few, several together under load."""


class Coalescer:
    """Gathers text and says how long it waits. Times are seconds of any one clock.

    The first text leaves at once. After a message, text that comes within `interval` seconds waits for the
    rest of the interval, so that a fast engine costs at most one message an interval and a slow one no delay.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._gathered: list[str] = []
        self._next_at = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._gathered)

    def add(self, text: str) -> None:
        self._gathered.append(text)

    def wait(self, now: float) -> float:
        """Seconds until what is gathered should leave; 0 or less: now."""
        return self._next_at - now

    def take(self, now: float) -> str:
        """All that is gathered, which leaves now; empty where nothing is."""
        text = "".join(self._gathered)
        self._gathered.clear()
        if text:
            self._next_at = now + self._interval
        return text


def stream_interval(running: int, most: int) -> int:
    """Tokens that an engine should hand over together while `running` generations share it.

    Few readers see each token as it is made; for many, fewer and larger hand-overs leave the engine's process
    more time (with 32 at once, 16 tokens a hand-over gave a fifth more tokens/s than one).
    """
    return max(1, min(most, running // 8))
