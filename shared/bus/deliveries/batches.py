"""Joins events that arrive together, for a handler that takes many at once: docs/adr/0005."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.bus.deliveries.consumer import Delivery
from shared.contract.errors import Transient
from shared.contract.events import Event

E = TypeVar("E", bound=Event)


class Batches(Generic[E]):
    """Joins events that arrive together, by count and by time, for a handler that takes many at once.

    Each event is still settled on its own: where a batch fails, its events are tried one by one, so that one
    bad event does not take the others with it.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[E]], Awaitable[Sequence[Event]]],
        *,
        limit: int,
        window_seconds: float,
    ) -> None:
        self._handle = handle
        self._limit = limit
        self._window = window_seconds
        self._waiting: asyncio.Queue[tuple[E, asyncio.Future[list[Event]]]] = asyncio.Queue()

    async def __call__(self, event: E, delivery: Delivery) -> Sequence[Event]:
        answer: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((event, answer))
        return await answer

    async def run(self) -> None:
        """Handles batches one after another. Two of these tasks overlap embedding with writing."""
        while True:
            batch = [await self._waiting.get()]
            deadline = asyncio.get_running_loop().time() + self._window
            while len(batch) < self._limit:
                try:
                    async with asyncio.timeout_at(deadline):
                        batch.append(await self._waiting.get())
                except TimeoutError:
                    break
            await self._handle_batch([entry for entry in batch if not entry[1].done()])

    async def _handle_batch(self, batch: list[tuple[E, asyncio.Future[list[Event]]]]) -> None:
        try:
            follow_ups = await self._handle([event for event, _ in batch])
        except Transient as error:  # What is away for all of them is away for each: do not ask it again.
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        except Exception as error:
            if len(batch) > 1:
                for entry in batch:
                    await self._handle_batch([entry])
            elif batch and not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for event, answer in batch:
            if not answer.done():
                answer.set_result([out for out in follow_ups if out.about == event.about])
