"""What a turn costs its event loop: one task carries it from its beginning to its end."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.orchestrator.running.run import TurnRun
from shared.contract.events import TurnSaved
from tests.unit.orchestrator.pipeline.pipeline_room import Rooms, Thinker


@contextmanager
def counted_tasks() -> Iterator[Counter[str]]:
    """The tasks that are made meanwhile, by what they run."""
    made: Counter[str] = Counter()

    def make(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        made[getattr(work, "__qualname__", "")] += 1
        return asyncio.Task(work, loop=loop, **more)

    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(make)
    try:
        yield made
    finally:
        loop.set_task_factory(before)


async def test_one_task_carries_a_turn_through_all_its_phases(make_room: Rooms) -> None:
    room = make_room(Thinker())

    with counted_tasks() as made:
        assert isinstance(await room.hand_in(1, recipe="direct"), TurnSaved)

    assert made[TurnRun._go_on.__qualname__] == 1
