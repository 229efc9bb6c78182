"""How the stored events of a durable are settled, over a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from nats.js.api import RawStreamMsg

from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.deliveries import Consumer, Delivery, consuming
from shared.bus.durables import INDEXER_TURN_SAVED, Durable
from shared.contract.errors import Poison, Transient
from shared.contract.events import Event, TurnFailed, TurnIndexed, TurnSaved, decode, encode
from tests.servers.nats import bus_to, nats_in_hand, state, until
from tests.unit.samples import AT, saved

PATIENCE = 30.0
"""Seconds that no test should need."""


class Handler:
    """Does as `act` says with each delivery, and remembers what came."""

    def __init__(self, act: Callable[[TurnSaved, Delivery], Sequence[Event]] = lambda e, d: []) -> None:
        self.came: list[tuple[str, int]] = []
        self._act = act

    async def __call__(self, event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        self.came.append((event.turn_id, delivery.attempt))
        return self._act(event, delivery)


@asynccontextmanager
async def handling(
    url: str, handler: Handler, durable: Durable[TurnSaved] = INDEXER_TURN_SAVED
) -> AsyncIterator[None]:
    async with bus_to(url, "indexer") as own, asyncio.timeout(PATIENCE):
        consumer = Consumer(own, durable, handler, workers=4)
        async with consuming(own, consumer):
            yield


async def dead_letter(bus: Bus) -> RawStreamMsg:
    await until(bus, "DEAD", 1)
    return await bus.jetstream.get_msg("DEAD", seq=1)


async def settled(bus: Bus, durable: Durable[TurnSaved] = INDEXER_TURN_SAVED) -> None:
    """Nothing waits for the durable, and nothing is in hand."""
    while True:
        info = await bus.jetstream.consumer_info(durable.stream, durable.name)
        if not info.num_pending and not info.num_ack_pending:
            return
        await asyncio.sleep(0.02)


async def test_a_handled_message_is_gone_and_its_follow_ups_are_stored(url: str, bus: Bus) -> None:
    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        return [failed(event.turn_id, delivery.sequence), indexed(event.turn_id, delivery.sequence)]

    async with handling(url, handler := Handler(act)):
        number = await bus.publish(saved(1))
        await until(bus, "OUTCOMES", 3)
        await settled(bus)

    assert handler.came == [("t1", 1)]
    stored = [(await bus.jetstream.get_msg("OUTCOMES", seq=seq)).subject for seq in (2, 3)]
    assert sorted(map(str, stored)) == ["turn.failed", "turn.indexed"]
    assert decode(TurnFailed, (await last(bus, "turn.failed")).data or b"").turn_number == number


async def test_what_is_away_for_a_while_is_tried_again_and_keeps_its_number(url: str, bus: Bus) -> None:
    numbers = []

    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        numbers.append(delivery.sequence)
        if delivery.attempt < 3:
            raise Transient("PostgreSQL is not reachable", retry_in=0.01)
        return []

    async with handling(url, handler := Handler(act)):
        number = await bus.publish(saved(1))
        await settled(bus)

    assert handler.came == [("t1", 1), ("t1", 2), ("t1", 3)]
    assert numbers == [number] * 3
    assert (await state(bus, "DEAD")).messages == 0


async def test_what_can_never_be_handled_becomes_a_dead_letter_at_once(url: str, bus: Bus) -> None:
    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        raise Poison("unknown\nrecipe")

    async with handling(url, handler := Handler(act)):
        number = await bus.publish(saved(1))
        letter = await dead_letter(bus)
        await settled(bus)

    assert handler.came == [("t1", 1)]
    assert letter.subject == "dead.indexer-turn-saved"
    assert letter.data == encode(saved(1))
    headers = letter.headers or {}
    assert headers["Pandora-Reason"] == "unknown recipe"
    assert headers["Pandora-Attempts"] == "1"
    assert headers["Pandora-First-Error"] == headers["Pandora-Last-Error"] == "unknown recipe"
    assert headers["Pandora-Durable"] == "indexer-turn-saved"
    assert headers["Pandora-Subject"] == "turn.saved"
    assert headers["Pandora-Message-Id"] == "t1:turn.saved"
    assert headers["Nats-Msg-Id"] == f"indexer-turn-saved:{number}"
    assert headers["ce-id"] == "t1:turn.saved"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b'{"turn_id":"t1"}', b'{"turn_id":"a b","input":1}', b"\xff"]
)
async def test_bytes_that_are_no_event_become_a_dead_letter_as_they_came(
    url: str, bus: Bus, body: bytes
) -> None:
    async with handling(url, handler := Handler()):
        await bus.jetstream.publish("turn.saved", body)
        letter = await dead_letter(bus)
        await settled(bus)

    assert handler.came == []
    assert (letter.data or b"") == body
    assert "not a valid TurnSaved" in (letter.headers or {})["Pandora-Reason"]


async def test_a_turn_after_a_bad_one_is_handled(url: str, bus: Bus) -> None:
    async with handling(url, handler := Handler()):
        await bus.jetstream.publish("turn.saved", b"hello")
        await bus.publish(saved(1))
        await settled(bus)

    assert handler.came == [("t1", 1)]


async def test_an_error_that_nobody_expected_is_tried_again_and_then_given_up(url: str, bus: Bus) -> None:
    twice = msgspec.structs.replace(INDEXER_TURN_SAVED, max_deliver=2)

    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        raise ZeroDivisionError("nobody expected this")

    async with handling(url, handler := Handler(act), twice):
        await bus.publish(saved(1))
        letter = await dead_letter(bus)
        await settled(bus)

    assert handler.came == [("t1", 1), ("t1", 2)]
    headers = letter.headers or {}
    assert headers["Pandora-Attempts"] == "2"
    assert "given up after 2 attempts" in headers["Pandora-Reason"]
    assert "nobody expected this" in headers["Pandora-Reason"]


async def test_an_outage_however_many_attempts_it_takes_sends_nothing_to_the_dead_letters(
    url: str, bus: Bus
) -> None:
    """An hour without PostgreSQL is some 120 attempts; here it is thrice the errors that are forgiven."""
    few = msgspec.structs.replace(INDEXER_TURN_SAVED, max_deliver=3)
    is_away = True

    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        if is_away:
            raise Transient("PostgreSQL is not reachable", retry_in=0.0001)
        return []

    async with handling(url, handler := Handler(act), few):
        for number in range(1, 6):
            await bus.publish(saved(number))
        while len(handler.came) < 5 * 9:  # noqa: ASYNC110 - the handler only notes
            await asyncio.sleep(0.02)
        is_away = False
        await settled(bus)

    assert (await state(bus, "DEAD")).messages == 0
    assert {turn_id for turn_id, _ in handler.came} == {"t1", "t2", "t3", "t4", "t5"}


async def test_what_is_away_for_longer_than_the_patience_becomes_a_dead_letter(url: str, bus: Bus) -> None:
    impatient = msgspec.structs.replace(INDEXER_TURN_SAVED, patience_seconds=0.2)

    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        raise Transient("PostgreSQL is not reachable", retry_in=0.05)

    async with handling(url, handler := Handler(act), impatient):
        await bus.publish(saved(1))
        letter = await dead_letter(bus)
        await settled(bus)

    assert len(handler.came) > 1
    reason = "not handled within 0.2 s: PostgreSQL is not reachable"
    assert (letter.headers or {})["Pandora-Reason"] == reason


async def test_a_letter_tells_the_first_and_the_last_error_and_outages_between_cost_nothing(
    url: str, bus: Bus
) -> None:
    twice = msgspec.structs.replace(INDEXER_TURN_SAVED, max_deliver=2)
    happens = iter(
        [
            ZeroDivisionError("the first"),
            Transient("away", retry_in=0.01),
            Transient("away", retry_in=0.01),
            ValueError("the last"),
        ]
    )

    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        raise next(happens)

    async with handling(url, Handler(act), twice):
        await bus.publish(saved(1))
        headers = (await dead_letter(bus)).headers or {}

    assert headers["Pandora-First-Error"] == "ZeroDivisionError('the first')"
    assert headers["Pandora-Last-Error"] == "ValueError('the last')"
    assert headers["Pandora-Attempts"] == "4"


async def test_hand_backs_of_stopping_processes_are_no_errors(url: str, bus: Bus) -> None:
    twice = msgspec.structs.replace(INDEXER_TURN_SAVED, max_deliver=2)
    await bus.publish(saved(1))
    stopping = await bus.jetstream.pull_subscribe_bind(INDEXER_TURN_SAVED.name, "OUTCOMES")
    for _ in range(4):
        await (await stopping.fetch(1))[0].nak()
    happens = iter([ZeroDivisionError("once")])

    def act(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
        if error := next(happens, None):
            raise error
        return []

    async with handling(url, handler := Handler(act), twice):
        while len(handler.came) < 2:  # noqa: ASYNC110 - the handler only notes
            await asyncio.sleep(0.02)
        await settled(bus)

    assert handler.came == [("t1", 5), ("t1", 6)]
    assert (await state(bus, "DEAD")).messages == 0


async def test_a_message_as_large_as_the_server_takes_gets_its_letter_too(url: str, bus: Bus) -> None:
    body = b"x" * (bus.connection.max_payload - 100)

    async with handling(url, Handler()):
        await bus.jetstream.publish("turn.saved", body, headers={"a": "b"})
        letter = await dead_letter(bus)
        await settled(bus)

    headers = letter.headers or {}
    assert "not a valid TurnSaved" in headers["Pandora-Reason"]
    assert headers["Pandora-Cut-From-Bytes"] == str(len(body))
    assert body.startswith(letter.data or b"?")


async def test_work_that_takes_longer_than_its_deadline_is_not_begun_twice(url: str, bus: Bus) -> None:
    short = Durable(
        name="tests-turn-saved",
        stream="OUTCOMES",
        event=TurnSaved,
        description="A test.",
        ack_wait_seconds=0.3,
    )
    await bus.jetstream.delete_consumer("OUTCOMES", INDEXER_TURN_SAVED.name)
    await bus.jetstream.add_consumer("OUTCOMES", short.config())

    class Slow(Handler):
        async def __call__(self, event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
            await super().__call__(event, delivery)
            await asyncio.sleep(1.0)
            return []

    async with handling(url, handler := Slow(), short):
        await bus.publish(saved(1))
        await settled(bus, short)

    assert handler.came == [("t1", 1)]


async def test_turns_that_wait_are_handled_side_by_side(url: str, bus: Bus) -> None:
    all_here = asyncio.Barrier(4)

    class Together(Handler):
        async def __call__(self, event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
            await all_here.wait()
            return []

    async with handling(url, Together()):
        for number in range(4):
            await bus.publish(saved(number))
        await settled(bus)


async def test_a_consumer_stops_also_while_no_server_is_there(caplog: pytest.LogCaptureFixture) -> None:
    """Not one `async with`: the server goes first."""
    async with AsyncExitStack() as stack:  # noqa: SIM117
        async with nats_in_hand() as server:
            bus = await stack.enter_async_context(bus_to(server.url))
            await declare_streams(bus.jetstream, first_turn_number=1)
            await stack.enter_async_context(handling(server.url, Handler()))

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


def indexed(turn_id: str, number: int) -> TurnIndexed:
    return TurnIndexed(turn_id=turn_id, turn_number=number, session_id="kitchen", user="alice", indexed_at=AT)
