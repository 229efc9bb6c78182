"""A consumer: one durable, the type of its events, and the handler that takes them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from faststream import AckPolicy
from faststream.nats import JStream, NatsMessage, NatsRouter, PullSub
from faststream.nats.broker.registrator import NatsRegistrator
from nats.aio.msg import Msg
from pydantic import Field

from shared.bus.connection import Bus
from shared.bus.deliveries.in_hand import InHand
from shared.bus.deliveries.observation import Metrics, Tracing
from shared.bus.deliveries.settlement import Settlement
from shared.bus.durables import Durable
from shared.bus.rights import inbox_of
from shared.contract.events import Event, decode
from shared.contract.headers import MESSAGE_ID

E = TypeVar("E", bound=Event)
_PULL_SECONDS = 5.0


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What the stream knows about a message."""

    sequence: int
    """Its place in the stream: the same on every redelivery."""
    attempt: int
    """1 on the first delivery. Rises also where another process handed the message back."""
    stored_at: datetime


Handler = Callable[[E, Delivery], Awaitable[Sequence[Event]]]


class Consumer(Generic[E]):
    """Hands the events of one durable to a handler, and stores the events that the handler returns."""

    def __init__(self, bus: Bus, durable: Durable[E], handle: Handler[E], *, workers: int) -> None:
        """`workers`: how many messages are handled at the same time."""
        self.in_hand = InHand(durable.ack_wait_seconds)
        middlewares = (self.in_hand, Metrics(durable.name), Settlement(bus, durable), Tracing())
        router = NatsRouter(middlewares=middlewares)
        context = bus.broker.context

        async def take(event: E) -> None:
            message: NatsMessage = context.get_local("message")
            follow_ups = await handle(event, _delivery_of(message.raw_message))
            await asyncio.gather(*map(bus.publish, follow_ups))

        subscribe(router, durable, take, service=bus.service, workers=workers)
        bus.broker.include_router(router)


def subscribe(
    to: NatsRegistrator,
    durable: Durable[E],
    take: Callable[[E], Awaitable[None]],
    *,
    service: str,
    workers: int = 2,
) -> None:
    """Declares a subscriber to FastStream: how it pulls, how it decodes, and what AsyncAPI says of it."""

    async def decoded(message: NatsMessage) -> E:
        return decode(durable.event, message.body)

    # FastStream describes payloads with pydantic, which cannot read msgspec structs. It gets the name.
    take.__annotations__["event"] = Annotated[Any, Field(title=durable.event.__name__)]
    to.subscriber(
        durable.subject,
        stream=JStream(durable.stream, declare=False),
        durable=durable.name,
        config=durable.config(),
        # One pull takes what is there, up to this many; the rest stays for other replicas.
        pull_sub=PullSub(batch_size=max(1, workers // 4), timeout=_PULL_SECONDS),
        inbox_prefix=f"{inbox_of(service)}.".encode(),
        max_workers=workers,
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        parser=_parsed,
        decoder=decoded,
        title=durable.name,
        description=durable.description,
    )(take)


@asynccontextmanager
async def consuming(bus: Bus, *consumers: Consumer[Any]) -> AsyncIterator[None]:
    """Runs the handlers until the block ends; then takes nothing new and waits for what is in hand."""
    await bus.broker.start()
    tasks = [asyncio.create_task(consumer.in_hand.keep_alive()) for consumer in consumers]
    try:
        yield
    finally:
        await bus.broker.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _parsed(raw: Msg) -> NatsMessage:
    """Takes our message id for both of FastStream's ids: it would draw two random ones."""
    headers = raw.headers or {}
    message_id = headers.get(MESSAGE_ID, raw.reply)
    return NatsMessage(raw, raw.data, headers=headers, message_id=message_id, correlation_id=message_id)


def _delivery_of(raw: Msg) -> Delivery:
    metadata = raw.metadata
    return Delivery(
        sequence=metadata.sequence.stream, attempt=metadata.num_delivered, stored_at=metadata.timestamp
    )
