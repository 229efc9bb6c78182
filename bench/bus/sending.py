"""A live event, a stored event and a request: over the connection itself, and through FastStream's broker."""

import asyncio
from collections.abc import Awaitable, Callable

from faststream.nats import NatsBroker

from bench.bus.clock import Clock
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.endpoints import endpoint_of
from shared.contract.events import OutputDelta, encode, live_subject
from shared.contract.requests import Count, CountReply
from tests.servers.nats import bus_to, nats_in_hand
from tests.unit.samples import saved

_AT_ONCE = 20
_DELTA = OutputDelta(index=1, text="In Lisbon")
_REPLY = CountReply(rows=1, points=1, highest_turn_number=1)
Way = Callable[[Bus, NatsBroker, int], Awaitable[None]]


async def measure(way: Way, messages: int) -> float:
    """Microseconds of processor time a message, of the sender and where there is one of the answerer."""
    clock = Clock()
    async with nats_in_hand() as server, bus_to(server.url) as bus:
        await declare_streams(bus.jetstream, first_turn_number=1)
        broker = NatsBroker(server.url, apply_types=False, logger=None)

        @broker.subscriber("bench.count")
        async def count(message: str) -> bytes:
            return encode(_REPLY)

        async def count_rows(request: Count) -> CountReply:
            return _REPLY

        await broker.start()
        await bus.serve("counts", [endpoint_of(count_rows)])
        with clock.of(messages):
            await way(bus, broker, messages)
            await bus.connection.flush()
        await broker.stop()
    return clock.microseconds


async def _all(messages: int, send: Callable[[int], Awaitable[object]]) -> None:
    for begin in range(0, messages, _AT_ONCE):
        await asyncio.gather(*map(send, range(begin, begin + _AT_ONCE)))


async def live_event(bus: Bus, broker: NatsBroker, messages: int) -> None:
    await _all(messages, lambda _: bus.emit("t1", _DELTA))


async def live_event_by_faststream(bus: Bus, broker: NatsBroker, messages: int) -> None:
    await _all(messages, lambda _: broker.publish(encode(_DELTA), live_subject("t1")))


async def stored_event(bus: Bus, broker: NatsBroker, messages: int) -> None:
    await _all(messages, lambda number: bus.publish(saved(number)))


async def stored_event_by_faststream(bus: Bus, broker: NatsBroker, messages: int) -> None:
    """Without the headers of CloudEvents, the trace and the retries that `Bus.publish` has."""

    async def publish(number: int) -> None:
        event = saved(number)
        headers = {"Nats-Msg-Id": event.message_id}
        await broker.publish(encode(event), event.subject, headers=headers, stream="OUTCOMES", timeout=5.0)

    await _all(messages, publish)


async def request(bus: Bus, broker: NatsBroker, messages: int) -> None:
    await _all(messages, lambda _: bus.ask(Count()))


async def request_by_faststream(bus: Bus, broker: NatsBroker, messages: int) -> None:
    await _all(messages, lambda _: broker.request(encode(Count()), "bench.count", timeout=5.0))


WAYS: dict[str, Way] = {
    "live event: our way": live_event,
    "live event: FastStream": live_event_by_faststream,
    "stored event: our way": stored_event,
    "stored event: FastStream": stored_event_by_faststream,
    "request and answer: our way": request,
    "request and answer: FastStream": request_by_faststream,
}
