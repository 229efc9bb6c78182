"""When to start a dead part again, and when to give up."""

import msgspec


class Deaths(msgspec.Struct, kw_only=True):
    """The times at which a part died. They give the wait before the next start, and when to give up.

    The wait doubles from 0.5 s to 10 s. It begins anew after a part has lived for a minute.
    """

    limit: int
    """So many within a minute are too many."""
    times: list[float] = []

    WINDOW_SECONDS = 60.0

    def note(self, now: float, lived: float) -> None:
        self.times = [*([] if lived > self.WINDOW_SECONDS else self.times[-self.limit :]), now]

    def too_many(self, now: float) -> bool:
        return sum(now - time <= self.WINDOW_SECONDS for time in self.times) >= self.limit

    def delay(self) -> float:
        return min(10.0, 0.5 * 2.0 ** (len(self.times) - 1))
