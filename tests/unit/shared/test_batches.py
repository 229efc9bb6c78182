"""Events that arrive together are handled together, and each is still settled on its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain

from shared.bus.deliveries import Batches, Delivery
from shared.contract.errors import Poison, Transient
from shared.contract.events import Event, TurnIndexed, TurnSaved
from tests.unit.samples import AT, saved

DELIVERY = Delivery(sequence=1, attempt=1, stored_at=AT)
LONG = 3600.0
"""A window that no test waits for."""


class Handler:
    """Indexes what it is given, and remembers how much came together."""

    def __init__(self, refuse: Callable[[TurnSaved], None] = lambda event: None) -> None:
        self.batches: list[list[int]] = []
        self._refuse = refuse

    async def __call__(self, events: Sequence[TurnSaved]) -> Sequence[Event]:
        self.batches.append([event.turn_number for event in events])
        for event in events:
            self._refuse(event)
        return [indexed(event.turn_number) for event in events]


@asynccontextmanager
async def running(batches: Batches[TurnSaved]) -> AsyncIterator[None]:
    task = asyncio.create_task(batches.run())
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def indexed(number: int) -> TurnIndexed:
    return TurnIndexed(
        turn_id=f"t{number}", turn_number=number, session_id="kitchen", user="alice", indexed_at=AT
    )


async def answers(
    batches: Batches[TurnSaved], numbers: Sequence[int]
) -> list[Sequence[Event] | BaseException]:
    return await asyncio.gather(*(batches(saved(n), DELIVERY) for n in numbers), return_exceptions=True)


async def test_as_many_as_the_limit_are_handled_together_without_waiting() -> None:
    handler = Handler()
    batches = Batches(handler, limit=3, window_seconds=LONG)
    async with running(batches):
        await answers(batches, [1, 2, 3, 4, 5, 6])

    assert handler.batches == [[1, 2, 3], [4, 5, 6]]


async def test_what_came_is_handled_when_the_window_closes() -> None:
    handler = Handler()
    batches = Batches(handler, limit=100, window_seconds=0.02)
    async with running(batches):
        await answers(batches, [1, 2])

    assert sorted(chain(*handler.batches)) == [1, 2]


async def test_without_a_window_what_is_there_already_is_handled_together() -> None:
    handler = Handler()
    batches = Batches(handler, limit=100, window_seconds=0)
    waiting = asyncio.create_task(answers(batches, [1, 2, 3]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with running(batches):
        await waiting

    assert handler.batches == [[1, 2, 3]]


async def test_each_event_gets_its_own_follow_ups() -> None:
    batches = Batches(Handler(), limit=3, window_seconds=LONG)
    async with running(batches):
        assert await answers(batches, [1, 2, 3]) == [[indexed(1)], [indexed(2)], [indexed(3)]]


async def test_one_bad_event_does_not_take_the_others_with_it() -> None:
    def refuse(event: TurnSaved) -> None:
        if event.turn_number == 2:
            raise Poison("PostgreSQL refuses the row")

    handler = Handler(refuse)
    batches = Batches(handler, limit=3, window_seconds=LONG)
    async with running(batches):
        first, second, third = await answers(batches, [1, 2, 3])

    assert (first, third) == ([indexed(1)], [indexed(3)])
    assert isinstance(second, Poison)
    assert handler.batches == [[1, 2, 3], [1], [2], [3]]


async def test_a_store_that_is_away_is_not_asked_again_for_every_event() -> None:
    """What is away for all of them is away for each: one time-out, not sixty-four."""

    def refuse(event: TurnSaved) -> None:
        raise Transient("PostgreSQL is not reachable", retry_in=2.0)

    handler = Handler(refuse)
    batches = Batches(handler, limit=3, window_seconds=LONG)
    async with running(batches):
        refusals = await answers(batches, [1, 2, 3])

    assert handler.batches == [[1, 2, 3]]
    assert [type(refusal) for refusal in refusals] == [Transient] * 3


async def test_an_event_whose_caller_has_gone_is_not_handled() -> None:
    handler = Handler()
    batches = Batches(handler, limit=2, window_seconds=LONG)
    gone = asyncio.create_task(batches(saved(1), DELIVERY))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    async with running(batches):
        await answers(batches, [2])

    assert handler.batches == [[2]]


async def test_work_goes_on_after_a_batch_that_broke() -> None:
    def refuse(event: TurnSaved) -> None:
        if event.turn_number == 1:
            raise ZeroDivisionError

    batches = Batches(Handler(refuse), limit=1, window_seconds=LONG)
    async with running(batches):
        broken, whole = await answers(batches, [1, 2])

    assert isinstance(broken, ZeroDivisionError)
    assert whole == [indexed(2)]


async def test_two_workers_answer_every_event_once() -> None:
    handler = Handler()
    batches = Batches(handler, limit=7, window_seconds=0.001)
    async with running(batches), running(batches):
        found = await answers(batches, range(100))

    assert found == [[indexed(number)] for number in range(100)]
    assert sorted(chain(*handler.batches)) == list(range(100))
