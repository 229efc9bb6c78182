"""Tells waiting turns their place in the queue, and again whenever it has changed."""

import asyncio
from collections.abc import Callable, Sequence

from services.orchestrator.dispatch import Dispatcher
from services.orchestrator.domain.queue import Waiting
from services.orchestrator.ports import Announcements
from shared import metrics
from shared.errors import Transient
from shared.events import AnyLiveEvent, Queued

_EVERY_SECONDS = 1.0
_MOST_AT_ONCE = 100
"""The first ones of the queue hear of each step, those far behind when there is time for them."""


class Places:
    def __init__(
        self,
        dispatcher: Dispatcher,
        announcements: Announcements,
        *,
        may_tell: Callable[[], bool],
        processes: Callable[[], int],
    ) -> None:
        self._dispatcher = dispatcher
        self._announcements = announcements
        self._may_tell = may_tell
        self._processes = processes
        self._told: dict[int, int] = {}

    def estimate_seconds(self, place: int) -> float:
        """Until a turn with `place` others before it begins, by what the last turns took."""
        at_once = self._dispatcher.concurrency * max(1, self._processes())
        return round((place + 1) * self._dispatcher.mean_seconds / at_once, 1)

    def all(self) -> dict[int, int]:
        """By the numbers of the turns that wait."""
        return {turn.number: place for place, turn in self._dispatcher.queue.places()}

    def place_of(self, turn: Waiting) -> int:
        """0 where it runs."""
        return 0 if self._dispatcher.queue.is_running(turn) else self.all().get(turn.number, 0)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            places = list(self._dispatcher.queue.places())
            metrics.turns_waiting.set(len(places))
            if self._may_tell():
                await self._tell(places)

    async def _tell(self, places: list[tuple[int, Waiting]]) -> None:
        now = asyncio.get_running_loop().time()
        waiting = {turn.number for _, turn in places}
        self._told = {number: place for number, place in self._told.items() if number in waiting}
        moved = [
            (place, turn)
            for place, turn in places
            # Younger ones may be taken at any moment, by somebody who relies on being the first to speak.
            if self._told.get(turn.number) != place and now - turn.seen_at > _EVERY_SECONDS
        ]
        await asyncio.gather(*(self._tell_one(place, turn) for place, turn in moved[:_MOST_AT_ONCE]))

    async def _tell_one(self, place: int, turn: Waiting) -> None:
        if self._dispatcher.queue.is_running(turn):
            return

        def queued(sent: Sequence[AnyLiveEvent]) -> Queued | None:
            # The picture here may be old; what was sent is not. Nothing is said behind a turn's beginning.
            if not all(isinstance(event, Queued) for event in sent):
                return None
            return Queued(
                index=len(sent),
                turn_id=turn.request.turn_id,
                turn_number=turn.number,
                session_id=turn.request.session_id,
                user=turn.request.user,
                position=place,
                estimate_seconds=self.estimate_seconds(place),
            )

        try:
            await self._announcements.join(turn.request.turn_id, (), queued)
        except Transient:
            return
        self._told[turn.number] = place
