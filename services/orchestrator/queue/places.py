"""Tells waiting turns their place in the queue, and again whenever it has changed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Generic

from services.orchestrator.queue.item import Item, R
from services.orchestrator.queue.turn_queue import TurnQueue
from shared.contract.errors import Transient
from shared.process import metrics

_EVERY_SECONDS = 1.0
_MOST_AT_ONCE = 100
"""The first turns of the queue hear of each step; those far from the front when there is time for them."""
_UNTOLD_SECONDS = 0.5
_TURNS_OF_THE_MEAN = 50


class Pace:
    """How fast this process runs turns; `concurrency` of them at a time."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._mean_seconds = 0.0

    def count(self, seconds: float) -> None:
        """What one more turn took."""
        weight = 1 / _TURNS_OF_THE_MEAN if self._mean_seconds else 1.0
        self._mean_seconds += weight * (seconds - self._mean_seconds)

    def seconds_until(self, place: int, processes: int) -> float:
        """Until a turn with `place` others before it begins, where `processes` run turns like this one."""
        return round((place + 1) * self._mean_seconds / (self._concurrency * max(1, processes)), 1)


class Places(Generic[R]):
    """`tell` gets a turn, its place and the seconds until it begins. It may raise Transient."""

    def __init__(
        self, queue: TurnQueue[R], pace: Pace, tell: Callable[[Item[R], int, float], Awaitable[None]]
    ) -> None:
        self._queue = queue
        self._pace = pace
        self._tell = tell
        self._told: dict[int, int] = {}

    def estimate_seconds(self, place: int) -> float:
        return self._pace.seconds_until(place, len(self._queue.peers.alive))

    def all(self) -> dict[int, int]:
        """By the numbers of the turns that wait."""
        return {item.number: place for place, item in self._queue.places()}

    def place_of(self, item: Item[R]) -> int:
        """0 where the turn runs."""
        return 0 if self._runs(item) else self.all().get(item.number, 0)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            places = list(self._queue.places())
            metrics.turns_waiting.set(len(places))
            if self._queue.peers.is_first:
                await self._tell_moved(places)

    async def _tell_moved(self, places: list[tuple[int, Item[R]]]) -> None:
        now = asyncio.get_running_loop().time()
        waiting = {item.number for _, item in places}
        self._told = {number: place for number, place in self._told.items() if number in waiting}
        moved = [
            (place, item)
            for place, item in places
            # A younger turn may be taken now by a process that relies on being the first to speak.
            if self._told.get(item.number) != place and now - item.seen_at > _EVERY_SECONDS
        ]
        await asyncio.gather(*(self._tell_one(place, item) for place, item in moved[:_MOST_AT_ONCE]))

    async def _tell_one(self, place: int, item: Item[R]) -> None:
        if self._runs(item):
            return
        try:
            await self._tell(item, place, self.estimate_seconds(place))
        except Transient:
            return
        self._told[item.number] = place

    def _runs(self, item: Item[R]) -> bool:
        return self._queue.status_of(item) != "queued"


def may_know_its_place(item: Item[R] | None, now: datetime) -> bool:
    """False where the turn is so new that no process has told it a place yet."""
    if item is None or item.is_backlog:
        return True
    here = asyncio.get_running_loop().time() - item.seen_at
    # After an outage this process may have read it late.
    in_the_queue = (now - item.requested_at).total_seconds()
    return max(here, in_the_queue) > _UNTOLD_SECONDS
