"""The bus over a real nats-server: what is stored, asked and answered, and how a message is settled."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import RawStreamMsg, StreamState

from shared.bus import Bus, Endpoint, Send
from shared.deliveries import Consumer, Delivery, consuming
from shared.errors import Poison, Refused, Transient
from shared.events import (
    Event,
    OutputDelta,
    Queued,
    TurnCancelled,
    TurnFailed,
    TurnRequested,
    decode,
    decode_live,
    live_subject,
)
from shared.replies import (
    Count,
    CountReply,
    Generate,
    Generated,
    GetTurn,
    Search,
    StillGenerating,
    TurnRecord,
)
from shared.streams import ORCHESTRATOR_TURN_REQUESTED, Durable, declare_streams
from tests.contracts.nats_server import bus_to, nats_server
from tests.contracts.samples import ASKED
from tests.unit.samples import AT, record, requested, saved

PATIENCE = 30.0
"""Seconds that no test should need."""


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A nats-server with the streams and nothing in them."""
    async with nats_server() as address:
        async with bus_to(address) as bus:
            await declare_streams(bus.jetstream, first_turn_number=1)
        yield address


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    async with bus_to(url) as connected:
        yield connected


class Handler:
    """Does as `act` says with each delivery, and remembers what came."""

    def __init__(self, act: Callable[[TurnRequested, Delivery], Sequence[Event]] = lambda e, d: []) -> None:
        self.came: list[tuple[str, int]] = []
        self._act = act

    async def __call__(self, event: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        self.came.append((event.turn_id, delivery.attempt))
        return self._act(event, delivery)


@asynccontextmanager
async def handling(
    url: str, handler: Handler, durable: Durable = ORCHESTRATOR_TURN_REQUESTED
) -> AsyncIterator[None]:
    async with bus_to(url, "orchestrator") as own, asyncio.timeout(PATIENCE):
        consumer = Consumer(own, durable, TurnRequested, handler, workers=4)
        async with consuming(own, consumer):
            yield


async def state(bus: Bus, stream: str) -> StreamState:
    return (await bus.jetstream.stream_info(stream)).state


async def until(bus: Bus, stream: str, messages: int) -> None:
    """JetStream tells nobody how full a stream is: one has to look."""
    while (await state(bus, stream)).messages != messages:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def dead_letter(bus: Bus) -> RawStreamMsg:
    await until(bus, "DEAD", 1)
    return await bus.jetstream.get_msg("DEAD", seq=1)


# --- storing -----------------------------------------------------------------------------------------------


async def test_an_event_is_stored_once_however_often_it_is_published(bus: Bus) -> None:
    first = await bus.publish(requested("t1"))
    second = await bus.publish(requested("t2"))

    assert second == first + 1
    assert await bus.publish(requested("t1")) == first
    assert (await state(bus, "TURNS")).messages == 2


async def test_a_stored_event_carries_the_headers_of_cloud_events(bus: Bus) -> None:
    sequence = await bus.publish(saved(7))

    stored = await bus.jetstream.get_msg("OUTCOMES", seq=sequence)

    headers = dict(stored.headers or {})
    time = headers.pop("ce-time")
    assert msgspec.convert(time, type=type(AT), strict=False).tzinfo is not None
    assert headers == {
        "Nats-Msg-Id": "t7:turn.saved",
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "t7:turn.saved",
        "ce-source": "/pandora/test",
        "ce-type": "pandora.turn.saved.v1",
        "ce-dataschema": "/schemas/turn.saved/v1",
    }
    assert decode(type(saved(7)), stored.data or b"") == saved(7)


async def test_a_live_event_reaches_who_listens_and_who_comes_late(bus: Bus) -> None:
    early = await bus.connection.subscribe(live_subject("t1"))
    await bus.emit("t1", OutputDelta(index=4, text="In Lisbon"))

    live = await early.next_msg(PATIENCE)
    await until(bus, "LIVE", 1)
    stored = await bus.jetstream.get_last_msg("LIVE", live_subject("t1"))

    assert live.data == stored.data
    assert decode_live(live.data) == OutputDelta(index=4, text="In Lisbon")


async def test_without_a_server_nothing_is_claimed_to_be_stored() -> None:
    async with AsyncExitStack() as stack:
        async with nats_server() as address:
            bus = await stack.enter_async_context(bus_to(address))

        with pytest.raises(Transient):
            await bus.publish(requested("t1"))
        with pytest.raises(Transient):
            await bus.ask(Count(), timeout=0.1)


async def test_a_consumer_stops_also_while_no_server_is_there(caplog: pytest.LogCaptureFixture) -> None:
    """Not one `async with`: the server goes first."""
    async with AsyncExitStack() as stack:  # noqa: SIM117
        async with nats_server() as address:
            bus = await stack.enter_async_context(bus_to(address))
            await declare_streams(bus.jetstream, first_turn_number=1)
            await stack.enter_async_context(handling(address, Handler()))

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# --- handling ----------------------------------------------------------------------------------------------


async def test_a_handled_message_is_gone_and_its_follow_ups_are_stored(url: str, bus: Bus) -> None:
    def act(event: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        return [failed(event.turn_id, delivery.sequence), cancelled(event.turn_id, delivery.sequence)]

    async with handling(url, handler := Handler(act)):
        number = await bus.publish(requested("t1"))
        await until(bus, "OUTCOMES", 2)
        await until(bus, "TURNS", 0)

    assert handler.came == [("t1", 1)]
    stored = [(await bus.jetstream.get_msg("OUTCOMES", seq=seq)).subject for seq in (1, 2)]
    assert sorted(map(str, stored)) == ["turn.cancelled", "turn.failed"]
    assert decode(TurnFailed, (await last(bus, "turn.failed")).data or b"").turn_number == number


async def test_what_is_away_for_a_while_is_tried_again_and_keeps_its_number(url: str, bus: Bus) -> None:
    numbers = []

    def act(event: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        numbers.append(delivery.sequence)
        if delivery.attempt < 3:
            raise Transient("PostgreSQL is not reachable", retry_in=0.01)
        return []

    async with handling(url, handler := Handler(act)):
        number = await bus.publish(requested("t1"))
        await until(bus, "TURNS", 0)

    assert handler.came == [("t1", 1), ("t1", 2), ("t1", 3)]
    assert numbers == [number] * 3
    assert (await state(bus, "DEAD")).messages == 0


async def test_what_can_never_be_handled_becomes_a_dead_letter_at_once(url: str, bus: Bus) -> None:
    def act(event: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        raise Poison("unknown\nrecipe")

    async with handling(url, handler := Handler(act)):
        number = await bus.publish(requested("t1"))
        letter = await dead_letter(bus)
        await until(bus, "TURNS", 0)

    assert handler.came == [("t1", 1)]
    assert letter.subject == "dead.orchestrator-turn-requested"
    assert decode(TurnRequested, letter.data or b"") == requested("t1")
    headers = letter.headers or {}
    assert headers["Pandora-Reason"] == "unknown recipe"
    assert headers["Pandora-Attempts"] == "1"
    assert headers["Pandora-Subject"] == "turn.requested"
    assert headers["Nats-Msg-Id"] == f"orchestrator-turn-requested:{number}"
    assert headers["ce-id"] == "t1:turn.requested"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b'{"turn_id":"t1"}', b'{"turn_id":"a b","input":1}', b"\xff"]
)
async def test_bytes_that_are_no_event_become_a_dead_letter_as_they_came(
    url: str, bus: Bus, body: bytes
) -> None:
    async with handling(url, handler := Handler()):
        await bus.jetstream.publish("turn.requested", body)
        letter = await dead_letter(bus)
        await until(bus, "TURNS", 0)

    assert handler.came == []
    assert (letter.data or b"") == body
    assert "not a valid TurnRequested" in (letter.headers or {})["Pandora-Reason"]


async def test_a_turn_after_a_bad_one_is_handled(url: str, bus: Bus) -> None:
    async with handling(url, handler := Handler()):
        await bus.jetstream.publish("turn.requested", b"hello")
        await bus.publish(requested("t1"))
        await until(bus, "TURNS", 0)

    assert handler.came == [("t1", 1)]


async def test_an_error_that_nobody_expected_is_tried_again_and_then_given_up(url: str, bus: Bus) -> None:
    twice = msgspec.structs.replace(ORCHESTRATOR_TURN_REQUESTED, max_deliver=2)

    def act(event: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        raise ZeroDivisionError("nobody expected this")

    async with handling(url, handler := Handler(act), twice):
        await bus.publish(requested("t1"))
        letter = await dead_letter(bus)
        await until(bus, "TURNS", 0)

    assert handler.came == [("t1", 1), ("t1", 2)]
    headers = letter.headers or {}
    assert headers["Pandora-Attempts"] == "2"
    assert "given up after 2 attempts" in headers["Pandora-Reason"]
    assert "nobody expected this" in headers["Pandora-Reason"]


async def test_work_that_takes_longer_than_its_deadline_is_not_begun_twice(url: str, bus: Bus) -> None:
    short = Durable(
        name="tests-turn-requested", stream="TURNS", subject="turn.requested", ack_wait_seconds=0.3
    )
    await bus.jetstream.delete_consumer("TURNS", ORCHESTRATOR_TURN_REQUESTED.name)
    await bus.jetstream.add_consumer("TURNS", short.config())

    class Slow(Handler):
        async def __call__(self, event: TurnRequested, delivery: Delivery) -> Sequence[Event]:
            await super().__call__(event, delivery)
            await asyncio.sleep(1.0)
            return []

    async with handling(url, handler := Slow(), short):
        await bus.publish(requested("t1"))
        await until(bus, "TURNS", 0)

    assert handler.came == [("t1", 1)]


async def test_turns_that_wait_are_handled_side_by_side(url: str, bus: Bus) -> None:
    all_here = asyncio.Barrier(4)

    class Together(Handler):
        async def __call__(self, event: TurnRequested, delivery: Delivery) -> Sequence[Event]:
            await all_here.wait()
            return []

    async with handling(url, Together()):
        for number in range(4):
            await bus.publish(requested(f"t{number}"))
        await until(bus, "TURNS", 0)


# --- asking ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(url: str, *endpoints: Endpoint) -> AsyncIterator[None]:
    async with bus_to(url, "indexer") as own:
        await own.serve("a test", endpoints)
        await own.connection.flush()
        yield


async def test_a_question_gets_the_answer_of_its_type(url: str, bus: Bus) -> None:
    async def handle(request: GetTurn, send: Send) -> TurnRecord:
        return record(user=request.user)

    async with answering(url, Endpoint(GetTurn, handle)):
        assert await bus.ask(GetTurn(user="alice", turn_id="t42")) == record(user="alice")


async def test_a_refusal_travels_with_its_status_and_its_field(url: str, bus: Bus) -> None:
    async def handle(request: Count, send: Send) -> CountReply:
        raise Refused(422, "limit is 0;\nit must be more", "limit")

    async with answering(url, Endpoint(Count, handle)):
        with pytest.raises(Refused) as refusal:
            await bus.ask(Count())

    assert (refusal.value.status, refusal.value.detail, refusal.value.field) == (
        422,
        "limit is 0;\nit must be more",
        "limit",
    )


async def test_what_is_away_over_there_is_away_here(url: str, bus: Bus) -> None:
    """An orchestrator goes on without memory while PostgreSQL is down, as it does without an indexer."""

    async def handle(request: Count, send: Send) -> CountReply:
        raise Transient("PostgreSQL is not reachable")

    async with answering(url, Endpoint(Count, handle)):
        with pytest.raises(Transient, match="PostgreSQL is not reachable"):
            await bus.ask(Count())


async def test_a_question_that_cannot_be_read_is_refused_with_the_field_that_is_wrong(
    url: str, bus: Bus
) -> None:
    async def handle(request: Search, send: Send) -> CountReply:
        raise AssertionError("not reached")

    async with answering(url, Endpoint(Search, handle)):
        with pytest.raises(Refused, match=r"`\$\.user`") as refusal:
            await bus.ask(Search(user="a b", query="bees"))

    assert refusal.value.status == 400


async def test_an_error_over_there_is_told_without_its_secrets(url: str, bus: Bus) -> None:
    async def handle(request: Count, send: Send) -> CountReply:
        raise ZeroDivisionError("password=hush")

    async with answering(url, Endpoint(Count, handle)):
        with pytest.raises(Refused, match=r"index\.count failed; see the logs") as refusal:
            await bus.ask(Count())

    assert refusal.value.status == 500


async def test_nobody_there_is_told_at_once(bus: Bus) -> None:
    with pytest.raises(Transient, match=r"nobody answers index\.count"):
        await bus.ask(Count())


async def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_was_said(
    url: str, bus: Bus
) -> None:
    async def handle(request: Count, send: Send) -> CountReply:
        await asyncio.sleep(0.5)
        return CountReply(rows=0, points=0, highest_turn_number=0)

    async with answering(url, Endpoint(Count, handle)):
        with pytest.raises(Transient, match=r"no answer to index\.count in time"):
            await bus.ask(Count(), timeout=0.05)


async def test_questions_are_answered_side_by_side(url: str, bus: Bus) -> None:
    both_asked = asyncio.Barrier(2)

    async def handle(request: Count, send: Send) -> CountReply:
        await both_asked.wait()
        return CountReply(rows=1, points=1, highest_turn_number=1)

    async with answering(url, Endpoint(Count, handle)):
        await asyncio.gather(bus.ask(Count()), bus.ask(Count()))


async def test_two_workers_share_the_questions(url: str, bus: Bus) -> None:
    """One queue group: each question is answered once, whoever answers it."""
    answered: list[int] = []

    def worker(name: int) -> Endpoint:
        async def handle(request: Count, send: Send) -> CountReply:
            answered.append(name)
            return CountReply(rows=0, points=0, highest_turn_number=0)

        return Endpoint(Count, handle)

    async with answering(url, worker(1)), answering(url, worker(2)):
        for _ in range(20):
            await bus.ask(Count())

    assert len(answered) == 20


GENERATE = msgspec.convert(ASKED["inference.generate"], Generate, from_attributes=True)
GENERATED = msgspec.convert(ASKED["inference.generate.reply"], Generated, from_attributes=True)


async def follow(bus: Bus, silence: float) -> list[StillGenerating | Generated]:
    answers = bus.ask_and_follow(GENERATE, StillGenerating, silence_seconds=silence)
    return [answer async for answer in answers]


async def test_signs_of_life_come_before_the_answer(url: str, bus: Bus) -> None:
    async def handle(request: Generate, send: Send) -> Generated:
        await send(StillGenerating(output_tokens=1))
        await send(StillGenerating(output_tokens=2))
        return GENERATED

    async with answering(url, Endpoint(Generate, handle)):
        assert await follow(bus, PATIENCE) == [
            StillGenerating(output_tokens=1),
            StillGenerating(output_tokens=2),
            GENERATED,
        ]


async def test_a_worker_that_falls_silent_is_given_up(url: str, bus: Bus) -> None:
    async def handle(request: Generate, send: Send) -> Generated:
        await asyncio.sleep(0.5)
        return GENERATED

    async with answering(url, Endpoint(Generate, handle)):
        with pytest.raises(Transient, match=r"no sign of life from inference\.generate"):
            await follow(bus, 0.05)


async def test_a_generation_that_nobody_takes_is_told_at_once(bus: Bus) -> None:
    with pytest.raises(Transient, match=r"nobody answers inference\.generate"):
        await follow(bus, PATIENCE)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(Refused(404, "no such model", "model"), Refused), (Transient("loading"), Transient)],
)
async def test_a_generation_that_is_refused_is_refused_here(
    url: str, bus: Bus, raised: Exception, expected: type[Exception]
) -> None:
    async def handle(request: Generate, send: Send) -> Generated:
        raise raised

    async with answering(url, Endpoint(Generate, handle)):
        with pytest.raises(expected, match=r"no such model|loading"):
            await follow(bus, PATIENCE)


async def test_every_service_is_seen_as_a_micro_service(url: str, bus: Bus) -> None:
    async def handle(request: Count, send: Send) -> CountReply:
        return CountReply(rows=0, points=0, highest_turn_number=0)

    async with answering(url, Endpoint(Count, handle)):
        pong = await bus.connection.request("$SRV.INFO.pandora-indexer", timeout=PATIENCE)

    told = msgspec.json.decode(pong.data)
    assert told["name"] == "pandora-indexer"
    assert [(one["name"], one["subject"]) for one in told["endpoints"]] == [("index-count", "index.count")]


async def test_nothing_is_said_to_who_listens_to_another_turn(bus: Bus) -> None:
    other = await bus.connection.subscribe(live_subject("t2"))
    await bus.emit("t1", Queued(index=0, turn_id="t1", turn_number=1, session_id="kitchen", user="alice"))
    await bus.connection.flush()

    with pytest.raises(NatsTimeoutError):
        await other.next_msg(0.05)


async def last(bus: Bus, subject: str) -> RawStreamMsg:
    return await bus.jetstream.get_last_msg("OUTCOMES", subject)


def failed(turn_id: str, number: int) -> TurnFailed:
    return TurnFailed(
        turn_id=turn_id,
        turn_number=number,
        session_id="kitchen",
        user="alice",
        reason="timeout",
        detail="late",
        failed_at=AT,
    )


def cancelled(turn_id: str, number: int) -> TurnCancelled:
    return TurnCancelled(
        turn_id=turn_id, turn_number=number, session_id="kitchen", user="alice", cancelled_at=AT
    )
