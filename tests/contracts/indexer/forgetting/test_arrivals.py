"""Stored events are noted as they come, and those that are forgotten are erased, over real servers."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from nats.js.errors import NotFoundError

from services.indexer.forgetting.arrivals import Arrivals, Origin
from services.indexer.forgetting.nats import erase_stored
from services.indexer.forgetting.postgres.arrivals import PostgresArrivals
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from shared.bus.connection import Bus
from shared.bus.deliveries import Delivery
from shared.contract.events import ForgetRequested, ForgetScope
from shared.contract.requests import KnownEvents
from tests.unit.samples import AT, saved

LATER = AT + timedelta(hours=1)


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield pool


class Room:
    def __init__(self, bus: Bus, database: Database) -> None:
        self.bus = bus
        self.arrivals = Arrivals(
            PostgresArrivals(database, ["OUTCOMES", "RESEARCH"]), partial(erase_stored, bus)
        )

    async def come(self, number: int, origin: Origin, *, stored_at: datetime | None = None) -> int:
        """A message of OUTCOMES; `stored_at`: as an earlier stream had it under the same number."""
        sequence = await self.bus.publish(saved(number))
        message = await self.bus.jetstream.get_msg("OUTCOMES", sequence)
        assert message.time is not None
        at = stored_at or message.time
        self.arrivals.expect("OUTCOMES", Delivery(sequence=sequence, attempt=1, stored_at=at), origin)
        await self.arrivals.note()
        return sequence

    async def left(self, *numbers: int) -> list[int]:
        return [number for number in numbers if await self._is_stored(number)]

    async def _is_stored(self, number: int) -> bool:
        try:
            await self.bus.jetstream.get_msg("OUTCOMES", number)
        except NotFoundError:
            return False
        return True


@pytest.fixture
def room(bus: Bus, connected: Database) -> Room:
    return Room(bus, connected)


def order(scope: ForgetScope, target: str = "") -> ForgetRequested:
    return ForgetRequested(forget_id="f1", user="alice", scope=scope, target=target, requested_at=LATER)


@pytest.mark.parametrize(
    ("scope", "target", "memory_ids", "gone"),
    [
        ("turn", "t1", [], [0, 1]),
        ("session", "kitchen", [], [0, 1, 2]),
        ("user", "", [], [0, 1, 2, 3, 4]),
        ("memory", "m1", ["m1"], [4]),
        ("turn", "t3", ["m1"], [3, 4]),
        ("turn", "t9", [], []),
        ("turn", "", [], []),
        ("memory", "", [""], []),
    ],
)
async def test_events_of_what_is_forgotten_are_erased_and_no_others(
    room: Room, scope: ForgetScope, target: str, memory_ids: list[str], gone: list[int]
) -> None:
    numbers = [
        await room.come(number, origin)
        for number, origin in enumerate(
            [
                Origin("alice", "kitchen", "t1", AT),
                Origin("alice", "", "t1", AT),
                Origin("alice", "kitchen", "t2", AT),
                Origin("alice", "garden", "t3", AT),
                Origin("alice", "garden", "", AT, "m1"),
                Origin("alice", "kitchen", "t4", LATER + timedelta(seconds=1)),
                Origin("bob", "kitchen", "t1", AT, "m1"),
            ]
        )
    ]

    assert await room.arrivals.erase(order(scope, target), memory_ids) == len(gone)

    assert await room.left(*numbers) == [one for place, one in enumerate(numbers) if place not in gone]
    assert await room.arrivals.erase(order(scope, target), memory_ids) == 0


async def test_the_same_turn_under_two_numbers_is_erased_twice(room: Room) -> None:
    origin = Origin("alice", "kitchen", "t1", AT)
    numbers = [await room.come(1, origin), await room.come(2, origin)]

    assert await room.arrivals.erase_turns("bob", ["t1"]) == 0
    assert await room.arrivals.erase_turns("alice", ["t1", "t2"]) == 2
    assert await room.left(*numbers) == []


async def test_a_message_of_another_stream_under_the_same_number_stays(room: Room) -> None:
    number = await room.come(1, Origin("alice", "kitchen", "t1", AT), stored_at=AT)

    assert await room.arrivals.erase_turns("alice", ["t1"]) == 0
    assert await room.left(number) == [number]


async def test_a_number_that_a_new_stream_gives_again_is_of_its_new_message(room: Room) -> None:
    number = await room.come(1, Origin("alice", "kitchen", "t1", AT), stored_at=AT)
    message = await room.bus.jetstream.get_msg("OUTCOMES", number)
    assert message.time is not None
    delivery = Delivery(sequence=number, attempt=1, stored_at=message.time)
    room.arrivals.expect("OUTCOMES", delivery, Origin("bob", "kitchen", "t2", AT))
    await room.arrivals.note()

    assert await room.arrivals.erase_turns("alice", ["t1"]) == 0
    assert await room.arrivals.erase_turns("bob", ["t2"]) == 1


async def test_it_says_from_which_number_on_it_knows_a_stream(room: Room, connected: Database) -> None:
    assert (await room.arrivals.known_events(KnownEvents())).since == {}
    first = await room.come(1, Origin("alice", "kitchen", "t1", AT))
    await room.come(2, Origin("alice", "kitchen", "t2", AT))

    assert (await room.arrivals.known_events(KnownEvents())).since == {"OUTCOMES": first}


async def test_what_the_streams_have_dropped_is_forgotten(room: Room, connected: Database) -> None:
    await room.come(1, Origin("alice", "kitchen", "t1", AT), stored_at=AT - timedelta(days=3650))
    second = await room.come(2, Origin("alice", "kitchen", "t2", AT))

    await PostgresArrivals(connected, []).forget_expired()

    assert (await room.arrivals.known_events(KnownEvents())).since == {"OUTCOMES": second}
