"""What `pandora status` asks over the bus: streams, queues, the engines, and how much is stored."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from cli.terminal.failure import CommandFailed
from cli.upkeep.bus import bus_of
from cli.upkeep.status_report import QueueStatus, Status, StreamStatus
from deploy.local.settings import StackSettings
from shared.bus.connection import Bus
from shared.bus.durables import DURABLES
from shared.bus.streams import STREAMS
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Count, Models, Reindexing, Request

_SECONDS: Final = 6.0


async def ask_the_bus(settings: StackSettings, status: Status) -> None:
    """Fills in what is known within some seconds. The lines of the parts say why the rest is not."""
    with suppress(CommandFailed, Transient, JetStreamError, NatsError, TimeoutError):
        async with asyncio.timeout(_SECONDS), bus_of(settings.local) as bus:
            await bus.check()
            await _read_queues(bus, status)
            status.engine, status.counts, status.embedder = await asyncio.gather(
                _ask(bus, Models()), _ask(bus, Count(estimate=True)), _ask(bus, Reindexing())
            )


async def _read_queues(bus: Bus, status: Status) -> None:
    for stream in STREAMS:
        state = (await bus.jetstream.stream_info(str(stream.name))).state
        status.streams.append(StreamStatus(name=str(stream.name), messages=state.messages, bytes=state.bytes))
    for durable in DURABLES:
        consumer = await bus.jetstream.consumer_info(durable.stream, durable.name)
        status.queues.append(
            QueueStatus(
                name=durable.name,
                stream=durable.stream,
                waiting=consumer.num_pending or 0,
                in_hand=consumer.num_ack_pending or 0,
            )
        )


async def _ask(bus: Bus, request: Request[Any]) -> Any:
    try:
        return await bus.ask(request)
    except (Transient, Refused):
        return None
