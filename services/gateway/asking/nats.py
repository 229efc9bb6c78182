"""Asks other services over NATS, and waits for one that is away for a moment."""

from time import monotonic
from typing import TypeVar

from tenacity import wait_exponential

from shared.bus.asking import Unanswered
from shared.bus.connection import Bus
from shared.contract.requests import Request
from shared.process.retrying import Retry

R = TypeVar("R")


class BusAsk:
    """Asks again while no process answers the subject.

    NATS says so at once. It is also true for the second or two in which a service connects to another server,
    after its own has died. An outage that has lasted for `hold_seconds` is said at once.
    """

    def __init__(self, bus: Bus, *, hold_seconds: float) -> None:
        self._bus = bus
        self._hold_seconds = hold_seconds
        self._outages: dict[str, tuple[float, float]] = {}
        """By subject: when no process answered first, and last."""
        self._retry = Retry(wait=wait_exponential(multiplier=0.1, max=0.5), on=self._passes)

    async def __call__(self, request: Request[R], timeout_seconds: float | None = None, /) -> R:
        reply: R = await self._retry(self._bus.ask, request, timeout_seconds)
        self._outages.pop(request.subject, None)
        return reply

    def _passes(self, error: BaseException) -> bool:
        return isinstance(error, Unanswered) and self._seconds_away(error.subject) < self._hold_seconds

    def _seconds_away(self, subject: str) -> float:
        now = monotonic()
        first, last = self._outages.get(subject, (now, now))
        if now - last > self._hold_seconds:  # The end of that outage was not noticed: this is another one.
            first = now
        self._outages[subject] = (first, now)
        return now - first
