"""`pandora status`: what runs, what waits, which engine answers, how much is remembered."""

import asyncio
import time
from typing import Any

import aiohttp
import msgspec
from nats.js.errors import Error as JetStreamError

from cli.client import GatewayError, own_gateway
from cli.processes import memory_bytes
from cli.run_folder import PartState, RunFolder
from deploy.local.nats import as_cluster
from deploy.local.parts import NotReady, Part
from deploy.local.settings import StackSettings
from deploy.local.stack import declare_parts
from shared.bus import Bus
from shared.errors import Refused, SettingsError, Transient
from shared.replies import Count, CountReply, Models, ModelsReply, Request
from shared.streams import DURABLES, STREAMS

_SOON = aiohttp.ClientTimeout(total=5.0)


class PartStatus(msgspec.Struct, kw_only=True):
    """One part. `note` says why it is not ready; a server of your own has no pid and no port."""

    name: str
    port: int | None
    pid: int | None = None
    ready: bool = False
    note: str = ""
    uptime_seconds: float = 0.0
    memory_bytes: int = 0
    restarts: int = 0


class StreamStatus(msgspec.Struct, kw_only=True):
    name: str
    messages: int
    bytes: int


class QueueStatus(msgspec.Struct, kw_only=True):
    """A durable consumer: what waits for it, and what it has in hand."""

    name: str
    stream: str
    waiting: int
    in_hand: int


class OwnTurns(msgspec.Struct, kw_only=True):
    """Turns of whoever asks, by PANDORA_API_KEY. `note` says why they are not known."""

    queued: int = 0
    running: int = 0
    waiting: int = 0
    note: str = ""


class Status(msgspec.Struct, kw_only=True):
    """`pandora status --json`. `engine`, `counts` are null where their service does not answer."""

    running: bool
    ready: bool
    data_dir: str
    launcher_pid: int | None
    parts: list[PartStatus] = []
    streams: list[StreamStatus] = []
    queues: list[QueueStatus] = []
    engine: ModelsReply | None = None
    counts: CountReply | None = None
    turns: OwnTurns | None = None


async def read_status(settings: StackSettings) -> Status:
    """Asks everything at once; whatever does not answer is simply not there."""
    folder = RunFolder(settings.local.pandora_data_dir)
    status = Status(running=False, ready=False, data_dir=str(folder.data), launcher_pid=folder.holder())
    state = folder.read_state()
    if state is None or status.launcher_pid is None:
        return status
    status.running = True
    if state.cluster:
        settings = as_cluster(settings)
    parts = declare_parts(settings).values()
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask_the_bus(settings, status))
        own_turns = group.create_task(_own_turns())
        tasks = [group.create_task(_part_status(part, state.parts.get(part.name))) for part in parts]
    status.parts = [task.result() for task in tasks]
    status.turns = own_turns.result()
    status.ready = all(part.ready for part in status.parts)
    return status


async def _part_status(part: Part, state: PartState | None) -> PartStatus:
    status = PartStatus(name=part.name, port=part.port)
    process = state.process.find() if state else None
    if state and process:
        status.pid = process.pid
        status.restarts = state.restarts
        status.uptime_seconds = round(time.time() - state.process.created, 1)
        status.memory_bytes = memory_bytes(process)
    elif part.command:
        status.note = "not running"
        return status
    try:
        await part.probe()
        status.ready = True
    except (NotReady, SettingsError) as reason:
        status.note = str(reason)
    return status


async def _own_turns() -> OwnTurns:
    try:
        async with own_gateway(_SOON) as gateway:
            return msgspec.convert(await gateway.call("GET", "/v1/queue?limit=1"), OwnTurns)
    except GatewayError as error:
        return OwnTurns(note=str(error))


async def _ask_the_bus(settings: StackSettings, status: Status) -> None:
    async with Bus.connect("cli", settings.local.for_a_command()) as bus:
        try:
            await bus.check()
            await _read_queues(bus, status)
        except (Transient, JetStreamError, TimeoutError):
            return  # The parts above tell why.
        status.engine, status.counts = await asyncio.gather(_ask(bus, Models()), _ask(bus, Count()))


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
