"""The gateway over HTTP where the rest of the system is slow, full, dead or of another opinion."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from services.gateway.turns.idempotency import Promise, hash_of_body
from services.gateway.turns.nats import BusPromises
from services.gateway.turns.views import NewTurn
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from shared.bus.streams import TURNS
from shared.contract.events import (
    Failed,
    LiveEvent,
    OutputDelta,
    PhaseStarted,
    TurnRequested,
    decode,
    encode,
    live_subject,
)
from tests.contracts.gateway.gateway_room import Client, Orchestrator, gateway_over_http, queued, unended
from tests.servers.nats import bus_to, state, until
from tests.unit.samples import record

STREAM = {"accept": "text/event-stream"}
HELLO = {"input": "Hello", "session_id": "kitchen"}
REJECT = HELLO | {"if_busy": "reject"}


@pytest.fixture
async def orchestrator(url: str) -> AsyncIterator[Orchestrator]:
    answers = Orchestrator()
    async with bus_to(url, "orchestrator") as other:
        await other.serve("a few lines", endpoints_of(answers))
        yield answers


@pytest.fixture
async def client(bus: Bus, orchestrator: Orchestrator) -> AsyncIterator[Client]:
    async with gateway_over_http(bus, heartbeat_seconds=0.2) as connected:
        yield connected


async def requested(bus: Bus) -> list[TurnRequested]:
    count = (await state(bus, "TURNS")).messages
    stored = [await bus.jetstream.get_msg("TURNS", seq=number) for number in range(1, count + 1)]
    return [decode(TurnRequested, message.data or b"") for message in stored]


async def send(bus: Bus, turn_id: str, *events: LiveEvent) -> None:
    for event in events:
        await bus.store(live_subject(turn_id), encode(event), {})


# --- keys ---


async def test_a_key_whose_gateway_died_before_it_handed_in_gives_the_very_same_turn(
    bus: Bus, client: Client
) -> None:
    new = NewTurn(input="Hello")
    promise = Promise(turn_id="t42", session_id="drawn", body_hash=hash_of_body(new))
    await BusPromises(bus).make("alice", "one", promise)

    status, accepted = await client.call("POST", "/v1/turns", {"input": "Hello"}, idempotency_key="one")

    assert (status, accepted["id"], accepted["session_id"], accepted["turn_number"]) == (
        202,
        "t42",
        "drawn",
        1,
    )
    assert [(turn.turn_id, turn.session_id) for turn in await requested(bus)] == [("t42", "drawn")]
    written = await BusPromises(bus).find("alice", "one")
    assert written is not None
    assert written.promise.turn_number == 1


@pytest.mark.parametrize("where", ["unended", "ended"])
async def test_a_key_whose_gateway_died_after_it_handed_in_gives_the_number_that_the_turn_has(
    bus: Bus, client: Client, orchestrator: Orchestrator, where: str
) -> None:
    """However long ago: JetStream knows a message id again for two minutes only."""
    promise = Promise(turn_id="t42", session_id="kitchen", body_hash=hash_of_body(NewTurn(input="Hello")))
    await BusPromises(bus).make("alice", "one", promise)
    if where == "unended":
        orchestrator.unended["t42"] = unended("t42", turn_number=7)
    else:
        orchestrator.records["t42"] = msgspec.structs.replace(record(), turn_number=7)

    for _ in range(2):
        status, accepted = await client.call("POST", "/v1/turns", {"input": "Hello"}, idempotency_key="one")
        assert (status, accepted["turn_number"]) == (202, 7)

    assert await requested(bus) == []


async def test_a_full_queue_does_not_use_up_the_key(bus: Bus, client: Client) -> None:
    config = (await bus.jetstream.stream_info("TURNS")).config
    await bus.jetstream.update_stream(dataclasses.replace(config, max_msgs=1))
    await client.call("POST", "/v1/turns", {"input": "The one that fits"})

    async with client.open("POST", "/v1/turns", HELLO, idempotency_key="one") as refused:
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) > 0
    async with client.open("POST", "/v1/turns", HELLO, idempotency_key="two", **STREAM) as refused:
        assert refused.status == 503
    await bus.jetstream.update_stream(dataclasses.replace(config, max_msgs=TURNS.max_msgs))
    status, accepted = await client.call("POST", "/v1/turns", HELLO, idempotency_key="one")

    assert status == 202
    assert [turn.turn_id for turn in await requested(bus)][1:] == [accepted["id"]]


async def test_requests_with_one_key_at_once_store_one_turn(bus: Bus, client: Client) -> None:
    answers = await asyncio.gather(
        *(client.call("POST", "/v1/turns", HELLO, idempotency_key="one") for _ in range(10))
    )

    assert [status for status, _ in answers] == [202] * 10
    assert all(answer == answers[0][1] for _, answer in answers)
    assert len(await requested(bus)) == 1


# --- a busy session ---


async def test_a_busy_session_is_said_before_anything_is_stored(
    bus: Bus, client: Client, orchestrator: Orchestrator
) -> None:
    orchestrator.running = unended("t7")

    answers = [await client.call("POST", "/v1/turns", REJECT, **more) for more in ({}, STREAM)]

    for status, problem in answers:
        assert (status, problem["turn_id"], problem["field"]) == (409, "t7", "if_busy")
        assert "t7" in problem["detail"]
    assert await requested(bus) == []


@pytest.mark.parametrize("headers", [{}, STREAM], ids=["answer", "stream"])
async def test_a_turn_that_lost_the_race_for_its_session_is_409_too(
    bus: Bus, client: Client, orchestrator: Orchestrator, headers: dict[str, str]
) -> None:
    asking = asyncio.create_task(client.call("POST", "/v1/turns", REJECT, **headers))
    await until(bus, "TURNS", 1)
    [turn] = await requested(bus)
    orchestrator.running = unended("t7")
    names: dict[str, Any] = {"turn_id": turn.turn_id, "turn_number": 1, "session_id": "kitchen"}
    await send(
        bus,
        turn.turn_id,
        queued(turn.turn_id),
        Failed(index=1, reason="session_busy", detail="turn t7 runs", **names),
    )

    status, problem = await asking

    assert (status, problem["turn_id"]) == (409, "t7")


async def test_a_turn_that_won_the_race_streams_from_its_start(bus: Bus, client: Client) -> None:
    async with client.open("POST", "/v1/turns", REJECT, **STREAM) as response:
        [turn] = await requested(bus)
        started = PhaseStarted(index=1, phase="gather")
        await send(bus, turn.turn_id, OutputDelta(index=2, text="Hi"), started, queued(turn.turn_id))
        text = await response.content.readuntil(b'"text":"Hi"}\n\n')

    assert [line for line in text.decode().splitlines() if line.startswith("id")] == [
        "id: 0",
        "id: 1",
        "id: 2",
    ]


async def test_a_turn_of_which_nothing_is_heard_is_accepted_all_the_same(client: Client) -> None:
    assert (await client.call("POST", "/v1/turns", REJECT))[0] == 202


# --- looking and controlling ---


async def test_a_turn_that_has_waited_for_long_is_shown_and_followed(
    bus: Bus, client: Client, orchestrator: Orchestrator
) -> None:
    """None of its live events is held: no process has taken it, or they are older than LIVE keeps them."""
    orchestrator.unended["t42"] = unended("t42", status="queued", position=3, estimate_seconds=9.5)

    _, view = await client.call("GET", "/v1/turns/t42")
    async with client.open("GET", "/v1/turns/t42/events") as response:
        assert response.status == 200
        assert await response.content.readuntil(b"\n\n") == b": still here\n\n"
    stranger, _ = await client.call("GET", "/v1/turns/t42/events", user="bob")

    assert (view["status"], view["input"], view["position"], view["estimate_seconds"]) == (
        "queued",
        "Hello",
        3,
        9.5,
    )
    assert stranger == 404


async def test_steering_says_when_it_takes_effect(client: Client, orchestrator: Orchestrator) -> None:
    status, answer = await client.call("POST", "/v1/turns/t42/steer", {"text": "In French"})

    assert (status, answer["takes_effect"], answer["done"]) == (200, "synthesis", True)
    assert [(told.user, told.action, told.text) for told in orchestrator.told] == [
        ("alice", "steer", "In French")
    ]


@pytest.mark.parametrize(("on_disconnect", "told"), [("cancel", 1), ("continue", 0)])
async def test_who_leaves_cancels_only_where_the_turn_was_handed_in_so(
    client: Client, orchestrator: Orchestrator, on_disconnect: str, told: int
) -> None:
    async with client.open(
        "POST", "/v1/turns", HELLO | {"on_disconnect": on_disconnect}, **STREAM
    ) as response:
        await response.content.readuntil(b"\n\n")
        response.close()
    await asyncio.sleep(0.2)

    assert [control.action for control in orchestrator.told] == ["cancel"] * told


async def test_a_reader_who_stops_reading_holds_nothing_up_and_gets_everything_later(
    bus: Bus, url: str, orchestrator: Orchestrator
) -> None:
    moved, last = replays(), 3000
    end = Failed(index=last, turn_id="t42", turn_number=42, session_id="kitchen", reason="r", detail="d")
    await send(bus, "t42", queued("t42"))
    async with (
        gateway_over_http(bus, sse_buffer_events=20) as client,
        client.open("GET", "/v1/turns/t42/events") as response,
        bus_to(url) as sender,
    ):
        await response.content.readuntil(b"\n\n")
        for index in range(1, last):  # 12 MB: more than all sockets on the way hold.
            event = OutputDelta(index=index, text="x" * 4096)
            await sender.connection.publish(live_subject("t42"), encode(event))
            if index % 50 == 0:
                await sender.connection.flush()
                await asyncio.sleep(0)
        assert replays() > moved  # Again where it had caught up once, before the sockets were full.
        await send(sender, "t42", end)
        ids = [int(line[4:]) async for line in response.content if line.startswith(b"id: ")]

    assert ids == list(range(1, last + 1))


def replays() -> float:
    return REGISTRY.get_sample_value("pandora_sse_slow_readers_total") or 0.0


# --- the stop ---


async def test_a_gateway_that_stops_sends_its_readers_elsewhere_and_takes_no_turn(
    bus: Bus, client: Client, orchestrator: Orchestrator
) -> None:
    await send(bus, "t42", queued("t42"))
    body = HELLO | {"on_disconnect": "cancel"}
    async with (
        client.open("GET", "/v1/turns/t42/events") as reading,
        client.open("POST", "/v1/turns", body, **STREAM) as asking,
    ):
        await reading.content.readuntil(b"\n\n")
        [turn] = await requested(bus)
        await send(bus, turn.turn_id, queued(turn.turn_id))
        await asking.content.readuntil(b"\n\n")
        client.streams.stop()
        ends = [(await response.text())[-80:] for response in (reading, asking)]
    async with client.open("POST", "/v1/turns", HELLO) as refused:
        assert refused.status == 503
        assert "retry-after" in refused.headers

    assert all(
        end.endswith("retry: 500\n: this gateway stops; come back with Last-Event-ID\n\n") for end in ends
    )
    assert orchestrator.told == [], "its reader did not leave: it was sent away"
