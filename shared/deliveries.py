"""How stored events reach their handlers, and the one place that settles a message.

FastStream pulls and runs the handlers; here each message is decoded, handled, its follow-up events published,
and only then acknowledged. A handler never sees an acknowledgement: it returns events, or raises `Transient`
(again later) or `Poison` (never).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
from faststream import AckPolicy
from faststream.nats import JStream, NatsMessage, PullSub
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared import metrics
from shared.bus import Bus
from shared.dead_letters import GivenUp, Trouble, Troubles, bury
from shared.errors import Poison, Refused, Transient
from shared.events import Event, decode
from shared.streams import Durable
from shared.tracing import context_of, tracer

log = logging.getLogger(__name__)
E = TypeVar("E", bound=Event)
_LONGEST_WAIT_SECONDS = 30.0
_MOST_DOUBLINGS = 20


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What the stream knows about a message."""

    sequence: int
    """Its place in the stream: the same on every redelivery."""
    attempt: int
    """1 on the first delivery. Rises also where another process handed the message back."""
    stored_at: datetime


Handler = Callable[[E, Delivery], Awaitable[Sequence[Event]]]


class Consumer(Generic[E]):
    """Settles every message of one durable."""

    def __init__(
        self, bus: Bus, durable: Durable, kind: type[E], handle: Handler[E], *, workers: int
    ) -> None:
        self._bus = bus
        self._durable = durable
        self._kind = kind
        self._handle = handle
        self._in_hand: dict[int, Msg] = {}
        self._troubles = Troubles()
        subscribe = bus.broker.subscriber(
            durable.subject,
            stream=JStream(durable.stream, declare=False),
            durable=durable.name,
            config=durable.config(),
            # One pull takes what is there, up to this many; the rest stays for other replicas.
            pull_sub=PullSub(batch_size=max(1, workers // 4), timeout=5.0),
            max_workers=workers,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            decoder=_whole_message,
        )
        subscribe(self._consume)

    async def _consume(self, message: NatsMessage) -> None:
        raw = message.raw_message
        sequence = raw.metadata.sequence.stream
        if sequence in self._in_hand:
            return  # Redelivered while it waited here for a worker: the one in hand settles it.
        self._in_hand[sequence] = raw
        try:
            with metrics.timed(metrics.message_seconds.labels(self._durable.name)):
                result = await self._settle(raw)
        finally:
            del self._in_hand[sequence]
        metrics.messages.labels(self._durable.name, result).inc()

    async def _settle(self, raw: Msg) -> str:
        delivery = Delivery(
            sequence=raw.metadata.sequence.stream,
            attempt=raw.metadata.num_delivered,
            stored_at=raw.metadata.timestamp,
        )
        try:
            with tracer.start_as_current_span(f"process {raw.subject}", context=context_of(raw.headers)):
                follow_ups = await self._handle(decode(self._kind, raw.data), delivery)
                await asyncio.gather(*map(self._bus.publish, follow_ups))
            await raw.ack()
        except Poison as error:
            trouble = self._troubles.note(delivery.sequence, str(error), is_transient=False)
            return await self._bury(raw, delivery, str(error), trouble)
        except Transient as error:
            trouble = self._troubles.note(delivery.sequence, str(error), is_transient=True)
            return await self._wait_or_bury(raw, delivery, trouble, error.retry_in)
        except asyncio.CancelledError:
            with contextlib.suppress(NatsError):
                await raw.nak()  # Handed back at a stop: another replica takes it at once.
            raise
        except Exception as error:
            metrics.errors.labels(self._durable.name).inc()
            log.exception("%s failed on message %d", self._durable.name, delivery.sequence)
            trouble = self._troubles.note(delivery.sequence, repr(error), is_transient=False)
            return await self._wait_or_bury(raw, delivery, trouble, retry_in=1.0)
        self._troubles.forget(delivery.sequence)
        return "handled"

    async def _wait_or_bury(self, raw: Msg, delivery: Delivery, trouble: Trouble, retry_in: float) -> str:
        """Errors are counted; what is away is waited for, however often that is."""
        if trouble.errors >= self._durable.max_deliver:
            reason = f"given up after {trouble.attempts} attempts: {trouble.last_error}"
            return await self._bury(raw, delivery, reason, trouble)
        age = (datetime.now(UTC) - delivery.stored_at).total_seconds()
        if age > self._durable.patience_seconds:
            reason = f"not handled within {self._durable.patience_seconds:g} s: {trouble.last_error}"
            return await self._bury(raw, delivery, reason, trouble)
        log.warning(
            "%s tries message %d again: %s", self._durable.name, delivery.sequence, trouble.last_error
        )
        return await self._again(raw, trouble, retry_in)

    async def _again(self, raw: Msg, trouble: Trouble, retry_in: float) -> str:
        doublings = min(trouble.attempts - 1, _MOST_DOUBLINGS)
        with contextlib.suppress(NatsError):  # Without a connection the server redelivers after ack_wait.
            await raw.nak(delay=min(retry_in * 2**doublings, _LONGEST_WAIT_SECONDS))
        return "retried"

    async def _bury(self, raw: Msg, delivery: Delivery, reason: str, trouble: Trouble) -> str:
        letter = GivenUp(
            durable=self._durable.name,
            sequence=delivery.sequence,
            subject=raw.subject,
            body=raw.data,
            headers=raw.headers or {},
            reason=reason,
            attempts=trouble.attempts,
            first_error=trouble.first_error,
            last_error=trouble.last_error,
        )
        try:
            await bury(self._bus, letter)
        except (Transient, Refused) as error:  # Not settled before its letter is stored.
            log.warning("%s cannot bury message %d now: %s", self._durable.name, delivery.sequence, error)
            return await self._again(raw, trouble, retry_in=1.0)
        log.error("%s gives message %d up: %s", self._durable.name, delivery.sequence, reason)
        self._troubles.forget(delivery.sequence)
        with contextlib.suppress(NatsError):
            await raw.term()
        return "buried"

    async def keep_alive(self) -> None:
        """Tells the server that what is in hand is still being worked on, for as long as it runs."""
        while True:
            await asyncio.sleep(self._durable.ack_wait_seconds / 3)
            for raw in list(self._in_hand.values()):
                with contextlib.suppress(NatsError):
                    await raw.in_progress()


class Batches(Generic[E]):
    """Joins events that arrive together, by count and by time, for a handler that takes many at once.

    Each event is still settled on its own: where a batch fails, its events are tried one by one, so that one
    bad event does not take the others with it.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[E]], Awaitable[Sequence[Event]]],
        *,
        limit: int,
        window_seconds: float,
    ) -> None:
        self._handle = handle
        self._limit = limit
        self._window = window_seconds
        self._waiting: asyncio.Queue[tuple[E, asyncio.Future[list[Event]]]] = asyncio.Queue()

    async def __call__(self, event: E, delivery: Delivery) -> Sequence[Event]:
        answer: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((event, answer))
        return await answer

    async def run(self) -> None:
        """Handles batches one after another. Two of these tasks overlap embedding with writing."""
        while True:
            batch = [await self._waiting.get()]
            deadline = asyncio.get_running_loop().time() + self._window
            while len(batch) < self._limit:
                try:
                    async with asyncio.timeout_at(deadline):
                        batch.append(await self._waiting.get())
                except TimeoutError:
                    break
            await self._handle_batch([entry for entry in batch if not entry[1].done()])

    async def _handle_batch(self, batch: list[tuple[E, asyncio.Future[list[Event]]]]) -> None:
        try:
            follow_ups = await self._handle([event for event, _ in batch])
        except Transient as error:  # What is away for all of them is away for each: do not ask it again.
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        except Exception as error:
            if len(batch) > 1:
                for entry in batch:
                    await self._handle_batch([entry])
            elif batch and not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for event, answer in batch:
            if not answer.done():
                answer.set_result([out for out in follow_ups if out.about == event.about])


@asynccontextmanager
async def consuming(bus: Bus, *consumers: Consumer[Any]) -> AsyncIterator[None]:
    """Runs the handlers until the block ends; then takes nothing new and waits for what is in hand."""
    await bus.broker.start()
    tasks = [asyncio.create_task(consumer.keep_alive()) for consumer in consumers]
    try:
        yield
    finally:
        await bus.broker.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _whole_message(message: Any) -> Any:
    return message
