"""Readers of live events, against a real server: late, slow, with holes, and after the end."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from prometheus_client import REGISTRY

from services.gateway.live.nats import BusLiveTurns
from services.gateway.live.nats_reader import BusReader
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.endpoints import endpoint, endpoints_of
from shared.contract.errors import Refused
from shared.contract.events import (
    AnyLiveEvent,
    Failed,
    LiveEvent,
    OutputDelta,
    OutputRestarted,
    Queued,
    Saved,
    Usage,
    encode,
    live_subject,
)
from shared.contract.requests import EventsReply, GetEvents
from tests.servers.nats import bus_to, nats_in_hand, until

TURN = "t42"
QUEUED = Queued(index=0, turn_id=TURN, turn_number=42, session_id="kitchen", user="alice")


def delta(index: int, attempt: int = 1) -> OutputDelta:
    return OutputDelta(index=index, text=f"{index} ", attempt=attempt)


def saved(index: int, attempt: int = 1) -> Saved:
    return Saved(
        index=index, attempt=attempt, turn_id=TURN, turn_number=42, session_id="kitchen",
        output="", sources=[], usage=Usage(), model="m",
    )  # fmt: skip


def whole_turn(last: int) -> list[AnyLiveEvent]:
    return [QUEUED, *(delta(index) for index in range(1, last)), saved(last)]


async def send(bus: Bus, *events: LiveEvent) -> None:
    """Live and stored, as the orchestrator's events are."""
    for event in events:
        # With the acknowledgement: a flush alone says that the server has it, not yet that the stream does.
        await bus.store(live_subject(TURN), encode(event), {})


async def read_all(reader: BusReader, silence: float = 0.2) -> list[int]:
    indexes: list[int] = []
    async with asyncio.timeout(20):
        while not reader.ended:
            indexes += [frame.index for frame in await reader.read(silence)]
    return indexes


@pytest.fixture
def live(bus: Bus) -> BusLiveTurns:
    return BusLiveTurns(bus, buffer_events=1000)


class Record:
    """An orchestrator that knows every event of one turn of alice's, once it has ended."""

    def __init__(self, page: int = 3) -> None:
        self.events: list[AnyLiveEvent] = []
        self.page = page
        self.asked = 0

    @endpoint
    async def answer(self, request: GetEvents) -> EventsReply:
        self.asked += 1
        if not self.events or request.user != "alice" or request.turn_id != TURN:
            raise Refused(404, "there is no such turn")
        left = [event for event in self.events if event.index > request.after]
        page = [msgspec.Raw(encode(event)) for event in left[: self.page]]
        return EventsReply(events=page, more=len(left) > self.page)


@pytest.fixture
async def record(url: str) -> AsyncIterator[Record]:
    kept = Record()
    async with bus_to(url, "orchestrator") as other:
        await other.serve("a record", endpoints_of(kept))
        yield kept


@asynccontextmanager
async def following(live: BusLiveTurns, after: int = -1, *, new: bool = False) -> AsyncIterator[BusReader]:
    async with live.follow(TURN, "alice", after=after, from_the_start=new) as reader:
        yield reader


async def test_a_reader_gets_what_was_and_then_what_comes(bus: Bus, live: BusLiveTurns) -> None:
    await send(bus, QUEUED, delta(1), delta(2))

    async with following(live, after=0) as reader:
        first = await reader.read(1.0)
        await send(bus, delta(3), saved(4))
        rest = await read_all(reader)

    assert [frame.index for frame in first] + rest == [1, 2, 3, 4]


async def test_two_readers_who_join_at_different_times_get_the_same(bus: Bus, live: BusLiveTurns) -> None:
    events = whole_turn(30)
    async with following(live, new=True) as early:
        await send(bus, *events[:12])
        async with following(live) as late:
            await send(bus, *events[12:])
            got = await asyncio.gather(read_all(early), read_all(late))

    assert list(got) == [list(range(31)), list(range(31))]


async def test_a_silent_turn_is_a_heartbeat(live: BusLiveTurns) -> None:
    async with following(live, new=True) as reader:
        assert await reader.read(0.05) == []
        assert not reader.ended


async def test_a_slow_reader_goes_on_from_the_store_and_misses_nothing(bus: Bus, url: str) -> None:
    live, last = BusLiveTurns(bus, buffer_events=8), 2000
    moved = replays()
    async with following(live, new=True) as reader, bus_to(url) as sender:
        await send(sender, QUEUED)
        assert [frame.index for frame in await reader.read(1.0)] == [0]
        for first in range(1, last, 100):
            await send(sender, *(delta(index) for index in range(first, min(first + 100, last))))
            assert len(reader._arrived) <= 8
        await send(sender, saved(last))

        indexes, longest = [0], 0
        while not reader.ended:
            run = await reader.read(1.0)
            indexes += [frame.index for frame in run]
            longest = max(longest, len(run), len(reader._joining.pending))

    assert indexes == list(range(last + 1))
    assert longest <= 256 + 8
    assert replays() == moved + 1


async def test_a_reader_who_stays_slow_while_the_turn_runs_misses_nothing(bus: Bus, url: str) -> None:
    live, last = BusLiveTurns(bus, buffer_events=4), 1500

    async def speak(sender: Bus) -> None:
        for event in whole_turn(last):
            await sender.connection.publish(live_subject(TURN), encode(event))
            if event.index % 50 == 0:
                await asyncio.sleep(0.005)
        await sender.connection.flush()

    async with following(live, new=True) as reader, bus_to(url) as sender:
        speaking = asyncio.create_task(speak(sender))
        indexes: list[int] = []
        async with asyncio.timeout(20):
            while not reader.ended:
                indexes += [frame.index for frame in await reader.read(1.0)]
                await asyncio.sleep(0.01)
        await speaking

    assert indexes == list(range(last + 1))


async def test_what_is_missing_in_the_stream_is_completed_from_the_record(
    bus: Bus, live: BusLiveTurns, record: Record
) -> None:
    events = whole_turn(9)
    async with following(live, new=True) as reader:
        await send(bus, *events[:3], *events[5:9])
        before = [frame.index for frame in await reader.read(1.0)]
        held = [await reader.read(0.3) for _ in range(2)]
        record.events = events
        await send(bus, events[9])
        rest = await read_all(reader)

    assert before == [0, 1, 2]
    assert held == [[], []], "a gap is not skipped while the turn runs"
    assert rest == [3, 4, 5, 6, 7, 8, 9]


async def test_a_gap_that_the_store_can_fill_is_filled_at_once(
    bus: Bus, live: BusLiveTurns, record: Record
) -> None:
    """What was sent while the gateway's connection was away."""
    async with following(live, new=True) as reader:
        await send(bus, QUEUED)
        assert len(await reader.read(1.0)) == 1
        for index in (1, 2, 3):
            await bus.store(live_subject(TURN), encode(delta(index)), {})
        reader._arrived.clear()
        await send(bus, delta(4))

        run = await reader.read(5.0)

    assert [frame.index for frame in run] == [1, 2, 3, 4]
    assert record.asked == 0


async def test_more_than_is_kept_after_a_gap_is_left_to_the_record(
    bus: Bus, url: str, record: Record
) -> None:
    live, events = BusLiveTurns(bus, buffer_events=5), whole_turn(600)
    record.page = 100
    async with following(live, new=True) as reader, bus_to(url) as sender:
        await send(sender, QUEUED, *events[2:600])
        indexes = [frame.index for frame in await reader.read(0.5)]
        assert await reader.read(0.5) == []
        assert len(reader._joining.pending) <= 5 + 256
        record.events = events
        await send(sender, events[600])
        indexes += await read_all(reader)

    assert indexes == list(range(601))


async def test_an_end_that_was_not_heard_is_found_in_the_record(
    bus: Bus, live: BusLiveTurns, record: Record
) -> None:
    async with following(live, new=True) as reader:
        await send(bus, QUEUED, delta(1))
        record.events = whole_turn(3)
        indexes = await read_all(reader)

    assert indexes == [0, 1, 2, 3]


async def test_an_attempt_that_is_over_is_not_heard(bus: Bus, live: BusLiveTurns) -> None:
    zombie = Failed(
        index=6, turn_id=TURN, turn_number=42, session_id="kitchen", reason="timeout", detail="late"
    )
    async with following(live, new=True) as early:
        await send(
            bus, QUEUED, delta(1), delta(2), OutputRestarted(index=3, attempt=2),
            delta(3), delta(4), delta(5), zombie, delta(4, attempt=2), delta(5, attempt=2), delta(6),
            saved(6, attempt=2),
        )  # fmt: skip
        async with following(live) as late, following(live, after=3) as later:
            frames = await early.read(1.0)
            got = [await read_all(late), await read_all(later)]

    assert [(frame.index, frame.attempt) for frame in frames] == [
        (0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2),
    ]  # fmt: skip
    assert got == [[0, 1, 2, 3, 4, 5, 6], [4, 5, 6]]


async def test_long_after_the_end_the_record_tells_every_event(live: BusLiveTurns, record: Record) -> None:
    record.events = whole_turn(10)

    async with following(live, after=2) as reader:
        indexes = await read_all(reader, silence=10.0)
    async with following(live, after=10) as satisfied:
        nothing = await read_all(satisfied, silence=10.0)

    assert (indexes, nothing) == ([3, 4, 5, 6, 7, 8, 9, 10], [])


async def test_the_summary_of_an_old_turn_is_told_with_its_holes(live: BusLiveTurns, record: Record) -> None:
    record.events = [QUEUED, delta(7), delta(8), saved(9)]

    async with following(live) as reader:
        assert await read_all(reader, silence=10.0) == [0, 7, 8, 9]


async def test_a_reader_who_has_the_last_event_is_let_go_at_once(bus: Bus, live: BusLiveTurns) -> None:
    await send(bus, *whole_turn(3))
    await until(bus, "LIVE", 4)

    for after in (3, 1000):
        async with following(live, after=after) as reader:
            assert await read_all(reader, silence=10.0) == []


async def test_a_waiting_turn_whose_first_events_have_expired_is_followed_to_its_record(
    bus: Bus, live: BusLiveTurns, record: Record
) -> None:
    events = whole_turn(6)
    await send(bus, *events[3:5])
    async with following(live) as reader:
        assert await reader.read(0.3) == [], "the beginning is missing"
        record.events = events
        await send(bus, *events[5:])
        indexes = await read_all(reader)

    assert indexes == [0, 1, 2, 3, 4, 5, 6]


async def test_what_was_sent_while_nats_was_away_is_read_when_it_is_back() -> None:
    """Long before the next heartbeat, and although no later event shows that something is missing."""
    async with nats_in_hand() as server, bus_to(server.url) as bus:
        await declare_streams(bus.jetstream, first_turn_number=1)
        live = BusLiveTurns(bus, buffer_events=1000)
        watching = asyncio.create_task(live.watch_connection())
        async with following(live, new=True) as reader:
            await bus.store(live_subject(TURN), encode(QUEUED), {})
            assert len(await reader.read(1.0)) == 1
            await server.stop(signal.SIGKILL)
            await server.start()
            async with bus_to(server.url) as sooner:
                await sooner.store(live_subject(TURN), encode(delta(1)), {})
                await sooner.store(live_subject(TURN), encode(saved(2)), {})
            async with asyncio.timeout(10):
                indexes = await read_all(reader, silence=60.0)
        watching.cancel()

    assert indexes == [1, 2]


async def test_the_owner_is_who_the_first_events_name(bus: Bus, live: BusLiveTurns) -> None:
    assert await live.owner(TURN) is None
    await send(bus, delta(1), QUEUED, delta(2))

    assert await live.owner(TURN) == "alice"
    assert await live.events(TURN) == [QUEUED, delta(1), delta(2)]


def replays() -> float:
    return REGISTRY.get_sample_value("pandora_sse_slow_readers_total") or 0.0
