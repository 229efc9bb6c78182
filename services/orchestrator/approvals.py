"""Tool calls that a person has to allow: a turn waits for them, however long, and across processes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from services.orchestrator.domain.approval import Approval, Asked, decided, seconds_spent, waiting
from shared import metrics

Keep = Callable[[Approval], Awaitable[None]]
"""Makes it last. Raises LeaseLost."""


class Approvals:
    """Of one run of a turn."""

    def __init__(self, state: Approval, clock: Callable[[], datetime], keep: Keep) -> None:
        self.state = state
        self._clock = clock
        self._keep = keep
        self._changed = asyncio.Condition()
        self._calls = 0

    @classmethod
    def none(cls) -> "Approvals":
        """Of no turn: what a run replaces by its own."""

        async def keep(state: Approval) -> None:
            raise RuntimeError("no turn waits here")

        return cls(Approval(), lambda: datetime.now(UTC), keep)

    @property
    def is_waiting(self) -> bool:
        return bool(waiting(self.state))

    @property
    def only_waits(self) -> bool:
        """No other call of the turn is being made meanwhile."""
        return self.is_waiting and not self._calls

    @contextmanager
    def calling(self) -> Iterator[None]:
        """While a call is made that needs no answer, or has got it."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def seconds_spent(self) -> float:
        """Waiting, so far: that time is nobody's fault."""
        return seconds_spent(self.state, self._clock())

    async def answer(self, key: str, tool: str, within: float) -> bool | None:
        """Whether the call is allowed; None where nobody says so in time, from when it was first asked."""
        if key not in self.state.asked:
            asked = Asked(tool=tool, at=self._clock())
            await self._set(Approval(asked={**self.state.asked, key: asked}))
        elif self.state.asked[key].until is None:  # Asked by a process that had the turn before.
            await self._keep(self.state)
        left = within - (self._clock() - self.state.asked[key].at).total_seconds()
        try:
            async with asyncio.timeout(left), self._changed:
                await self._changed.wait_for(lambda: self.state.asked[key].answer is not None)
        except TimeoutError:
            if self.state.asked[key].until is None:  # Else it ended with a process that had the turn before.
                metrics.approvals.labels("unanswered").inc()
            await self._set(decided(self.state, [key], None, self._clock()))
        return self.state.asked[key].answer

    async def decide(self, key: str, answer: bool) -> list[str]:
        """Answers one call, or all that wait where the key is empty; which it was, once that is kept."""
        keys = [one for one in waiting(self.state) if key in ("", one)]
        if keys:
            await self._set(decided(self.state, keys, answer, self._clock()))
            metrics.approvals.labels("approved" if answer else "denied").inc(len(keys))
        return keys

    async def _set(self, state: Approval) -> None:
        self.state = state
        await self._keep(state)
        async with self._changed:
            self._changed.notify_all()
