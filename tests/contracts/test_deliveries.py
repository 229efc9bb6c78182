"""How the stored events of a durable are settled, over a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from nats.js.api import RawStreamMsg

from shared.bus import Bus
from shared.deliveries import Consumer, Delivery, consuming
from shared.errors import Poison, Transient
from shared.events import (
    Event,
    TurnCancelled,
    TurnFailed,
    TurnRequested,
    decode,
)
from shared.streams import ORCHESTRATOR_TURN_REQUESTED, Durable, declare_streams
from tests.contracts.nats_server import bus_to, nats_server, state, until
from tests.unit.samples import AT, requested

PATIENCE = 30.0
"""Seconds that no test should need."""


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


async def dead_letter(bus: Bus) -> RawStreamMsg:
    await until(bus, "DEAD", 1)
    return await bus.jetstream.get_msg("DEAD", seq=1)


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


async def test_a_consumer_stops_also_while_no_server_is_there(caplog: pytest.LogCaptureFixture) -> None:
    """Not one `async with`: the server goes first."""
    async with AsyncExitStack() as stack:  # noqa: SIM117
        async with nats_server() as address:
            bus = await stack.enter_async_context(bus_to(address))
            await declare_streams(bus.jetstream, first_turn_number=1)
            await stack.enter_async_context(handling(address, Handler()))

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


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
