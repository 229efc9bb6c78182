"""What `pandora status` asks over the bus: streams, queues, the engines, and how much is stored."""

import asyncio
from typing import Any

from nats.js.errors import Error as JetStreamError

from cli.upkeep.status_report import QueueStatus, Status, StreamStatus
from deploy.local.settings import StackSettings
from shared.bus.connection import Bus
from shared.bus.durables import DURABLES
from shared.bus.streams import STREAMS
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Count, Models, Reindexing, Request


async def ask_the_bus(settings: StackSettings, status: Status) -> None:
    async with Bus.connect("cli", settings.local.for_a_command()) as bus:
        try:
            await bus.check()
            await _read_queues(bus, status)
        except (Transient, JetStreamError, TimeoutError):
            return  # The lines of the parts say why.
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
