"""The bus over a real nats-server: what is stored, what is asked and how it is answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from shared.bus.connection import Bus
from shared.bus.endpoints import Endpoint, Send, endpoint_of
from shared.contract.errors import Refused, Transient
from shared.contract.events import (
    OutputDelta,
    Queued,
    decode,
    decode_live,
    live_subject,
)
from shared.contract.requests import (
    Count,
    CountReply,
    Generate,
    Generated,
    GetTurn,
    Search,
    SearchReply,
    StillGenerating,
    TurnRecord,
)
from tests.contracts.messages.samples import ASKED
from tests.servers.nats import bus_to, nats_in_hand, state, until
from tests.unit.samples import AT, record, requested, saved

PATIENCE = 30.0
"""Seconds that no test should need."""


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
        async with nats_in_hand() as server:
            bus = await stack.enter_async_context(bus_to(server.url))

        with pytest.raises(Transient):
            await bus.publish(requested("t1"))
        with pytest.raises(Transient):
            await bus.ask(Count(), timeout=0.1)


# --- asking ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(url: str, *endpoints: Endpoint) -> AsyncIterator[None]:
    async with bus_to(url, "indexer") as own:
        await own.serve("a test", endpoints)
        await own.connection.flush()
        yield


async def test_a_question_gets_the_answer_of_its_type(url: str, bus: Bus) -> None:
    async def handle(request: GetTurn) -> TurnRecord:
        return record(user=request.user)

    async with answering(url, endpoint_of(handle)):
        assert await bus.ask(GetTurn(user="alice", turn_id="t42")) == record(user="alice")


async def test_a_refusal_travels_with_its_status_and_its_field(url: str, bus: Bus) -> None:
    async def handle(request: Count) -> CountReply:
        raise Refused(422, "limit is 0;\nit must be more", "limit")

    async with answering(url, endpoint_of(handle)):
        with pytest.raises(Refused) as refusal:
            await bus.ask(Count())

    assert (refusal.value.status, refusal.value.detail, refusal.value.field) == (
        422,
        "limit is 0;\nit must be more",
        "limit",
    )


async def test_what_is_away_over_there_is_away_here(url: str, bus: Bus) -> None:
    """An orchestrator goes on without memory while PostgreSQL is down, as it does without an indexer."""

    async def handle(request: Count) -> CountReply:
        raise Transient("PostgreSQL is not reachable")

    async with answering(url, endpoint_of(handle)):
        with pytest.raises(Transient, match="PostgreSQL is not reachable"):
            await bus.ask(Count())


async def test_a_question_that_cannot_be_read_is_refused_with_the_field_that_is_wrong(
    url: str, bus: Bus
) -> None:
    async def handle(request: Search) -> SearchReply:
        raise AssertionError("not reached")

    async with answering(url, endpoint_of(handle)):
        with pytest.raises(Refused, match=r"`\$\.user`") as refusal:
            await bus.ask(Search(user="a b", query="bees"))

    assert refusal.value.status == 400


async def test_an_error_over_there_is_told_without_its_secrets(url: str, bus: Bus) -> None:
    async def handle(request: Count) -> CountReply:
        raise ZeroDivisionError("password=hush")

    async with answering(url, endpoint_of(handle)):
        with pytest.raises(Refused, match=r"index\.count failed; see the logs") as refusal:
            await bus.ask(Count())

    assert refusal.value.status == 500


async def test_nobody_there_is_told_at_once(bus: Bus) -> None:
    with pytest.raises(Transient, match=r"no process answers index\.count"):
        await bus.ask(Count())


async def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_was_said(
    url: str, bus: Bus
) -> None:
    async def handle(request: Count) -> CountReply:
        await asyncio.sleep(0.5)
        return CountReply(rows=0, points=0, highest_turn_number=0)

    async with answering(url, endpoint_of(handle)):
        with pytest.raises(Transient, match=r"no answer to index\.count in time"):
            await bus.ask(Count(), timeout=0.05)


async def test_questions_are_answered_side_by_side(url: str, bus: Bus) -> None:
    both_asked = asyncio.Barrier(2)

    async def handle(request: Count) -> CountReply:
        await both_asked.wait()
        return CountReply(rows=1, points=1, highest_turn_number=1)

    async with answering(url, endpoint_of(handle)):
        await asyncio.gather(bus.ask(Count()), bus.ask(Count()))


async def test_two_workers_share_the_questions(url: str, bus: Bus) -> None:
    """One queue group: each question is answered once, whoever answers it."""
    answered: list[int] = []

    def worker(name: int) -> Endpoint:
        async def handle(request: Count) -> CountReply:
            answered.append(name)
            return CountReply(rows=0, points=0, highest_turn_number=0)

        return endpoint_of(handle)

    async with answering(url, worker(1)), answering(url, worker(2)):
        for _ in range(20):
            await bus.ask(Count())

    assert len(answered) == 20


GENERATE = msgspec.structs.replace(
    msgspec.convert(ASKED["inference.generate"], Generate, from_attributes=True), engine=""
)
GENERATED = msgspec.convert(ASKED["inference.generate.reply"], Generated, from_attributes=True)


async def follow(bus: Bus, silence: float) -> list[StillGenerating | Generated]:
    answers = bus.ask_and_follow(GENERATE, StillGenerating, silence_seconds=silence)
    return [answer async for answer in answers]


async def test_signs_of_life_come_before_the_answer(url: str, bus: Bus) -> None:
    async def handle(request: Generate, send: Send[StillGenerating]) -> Generated:
        await send(StillGenerating(output_tokens=1))
        await send(StillGenerating(output_tokens=2))
        return GENERATED

    async with answering(url, endpoint_of(handle)):
        assert await follow(bus, PATIENCE) == [
            StillGenerating(output_tokens=1),
            StillGenerating(output_tokens=2),
            GENERATED,
        ]


async def test_a_worker_that_falls_silent_is_given_up(url: str, bus: Bus) -> None:
    async def handle(request: Generate) -> Generated:
        await asyncio.sleep(0.5)
        return GENERATED

    async with answering(url, endpoint_of(handle)):
        with pytest.raises(Transient, match=r"no sign of life from inference\.generate"):
            await follow(bus, 0.05)


async def test_a_generation_that_nobody_takes_is_told_at_once(bus: Bus) -> None:
    with pytest.raises(Transient, match=r"no process answers inference\.generate"):
        await follow(bus, PATIENCE)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(Refused(404, "no such model", "model"), Refused), (Transient("loading"), Transient)],
)
async def test_a_generation_that_is_refused_is_refused_here(
    url: str, bus: Bus, raised: Exception, expected: type[Exception]
) -> None:
    async def handle(request: Generate) -> Generated:
        raise raised

    async with answering(url, endpoint_of(handle)):
        with pytest.raises(expected, match=r"no such model|loading"):
            await follow(bus, PATIENCE)


async def test_every_service_is_seen_as_a_micro_service(url: str, bus: Bus) -> None:
    async def handle(request: Count) -> CountReply:
        return CountReply(rows=0, points=0, highest_turn_number=0)

    async with answering(url, endpoint_of(handle)):
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
