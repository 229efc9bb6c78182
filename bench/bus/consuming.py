"""One event of a durable, from the server to its acknowledgement, with less and more of FastStream."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import nats
import nats.errors
from fast_depends.msgspec import MsgSpecSerializer
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.opentelemetry import NatsTelemetryMiddleware
from faststream.nats.prometheus import NatsPrometheusMiddleware
from nats.aio.msg import Msg
from prometheus_client import CollectorRegistry

from bench.bus.clock import Clock
from shared.bus.declaration import declare_streams
from shared.bus.deliveries import Consumer, Delivery, consuming
from shared.bus.durables import INDEXER_TURN_SAVED
from shared.contract.events import Event, TurnSaved, decode
from tests.servers.nats import bus_to, nats_in_hand
from tests.unit.samples import saved

DURABLE = INDEXER_TURN_SAVED
_WORKERS = 64
_AT_ONCE = 200


class Countdown:
    """Set when as many events were handled as were stored."""

    def __init__(self, events: int) -> None:
        self._left = events
        self.done = asyncio.Event()

    def count(self) -> None:
        self._left -= 1
        if not self._left:
            self.done.set()


Way = Callable[[str, Countdown, Clock, int], Awaitable[None]]


async def measure(way: Way, events: int) -> float:
    """Microseconds of processor time for each of so many events, which are all stored before."""
    clock = Clock()
    async with nats_in_hand() as server:
        async with bus_to(server.url) as bus:
            await declare_streams(bus.jetstream, first_turn_number=1)
            for begin in range(0, events, _AT_ONCE):
                await asyncio.gather(*(bus.publish(saved(n)) for n in range(begin, begin + _AT_ONCE)))
        await way(server.url, Countdown(events), clock, events)
    return clock.microseconds


async def bare(url: str, countdown: Countdown, clock: Clock, events: int) -> None:
    """nats-py alone: pulls, and runs each message in a task."""
    client = await nats.connect(url)
    subscription = await client.jetstream().pull_subscribe_bind(DURABLE.name, DURABLE.stream)
    free = asyncio.Semaphore(_WORKERS)

    async def handle(message: Msg) -> None:
        async with free:
            decode(TurnSaved, message.data)
            await message.ack()
            countdown.count()

    tasks = set()
    with clock.of(events):
        while not countdown.done.is_set():
            try:
                fetched = await subscription.fetch(_WORKERS // 4, timeout=1)
            except nats.errors.TimeoutError:
                continue
            tasks |= {asyncio.create_task(handle(message)) for message in fetched}
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    await client.close()


def faststream(*, middlewares: Callable[[], list[Any]] = list, injected: bool = False) -> Way:
    """A typed subscriber and an acknowledgement. `injected`: FastDepends calls the handler."""

    async def way(url: str, countdown: Countdown, clock: Clock, events: int) -> None:
        broker = NatsBroker(
            url, apply_types=injected, serializer=MsgSpecSerializer(), logger=None, middlewares=middlewares()
        )

        async def decoded(message: NatsMessage) -> TurnSaved:
            return decode(TurnSaved, message.body)

        @broker.subscriber(
            DURABLE.subject,
            stream=JStream(DURABLE.stream, declare=False),
            durable=DURABLE.name,
            config=DURABLE.config(),
            pull_sub=PullSub(batch_size=_WORKERS // 4),
            max_workers=_WORKERS,
            ack_policy=AckPolicy.ACK,
            no_reply=True,
            decoder=decoded,
        )
        async def take(event: TurnSaved) -> None:
            countdown.count()

        with clock.of(events):
            await broker.start()
            await countdown.done.wait()
        await broker.stop()

    return way


async def ours(url: str, countdown: Countdown, clock: Clock, events: int) -> None:
    """`shared.bus.deliveries`: a typed subscriber with our four middlewares."""

    async def handle(event: TurnSaved, delivery: Delivery) -> list[Event]:
        countdown.count()
        return []

    async with bus_to(url) as bus:
        with clock.of(events):
            async with consuming(bus, Consumer(bus, DURABLE, handle, workers=_WORKERS)):
                await countdown.done.wait()


WAYS: dict[str, Way] = {
    "nats-py alone": bare,
    "FastStream: typed subscriber": faststream(),
    "FastStream and our middlewares": ours,
    "FastStream and its Prometheus and OpenTelemetry": faststream(
        middlewares=lambda: [
            NatsPrometheusMiddleware(registry=CollectorRegistry()),
            NatsTelemetryMiddleware(),
        ]
    ),
    "FastStream and FastDepends": faststream(injected=True),
}
