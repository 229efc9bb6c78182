"""`pandora status`: what runs, what waits, which engine answers, how much is stored."""

import asyncio
import time

import msgspec

from cli.client.gateway import GatewayError, Patience, own_gateway
from cli.run.processes import memory_bytes
from cli.run.run_folder import PartState, RunFolder
from cli.terminal.output import console, print_json, print_text
from cli.upkeep.status_report import OwnTurns, PartStatus, Status
from cli.upkeep.status_tables import render
from deploy.local.nats import as_cluster
from deploy.local.parts import NotReady, Part
from deploy.local.settings import StackSettings, load_stack
from deploy.local.stack import declare_parts
from shared.process.environment import SettingsError

_SOON = Patience(total=5.0)


async def show_status(*, as_json: bool) -> bool:
    """Prints the status. Returns whether all is ready."""
    status = await read_status(load_stack())
    if as_json:
        print_json(msgspec.to_builtins(status))
    elif not status.running:
        print_text(f"Pandora is not running in {status.data_dir}. Start it with `pandora up`.")
    else:
        console.print(render(status))
    return status.ready


async def read_status(settings: StackSettings) -> Status:
    """Asks all parts at once. What does not answer is left out."""
    folder = RunFolder(settings.local.pandora_data_dir)
    status = Status(running=False, ready=False, data_dir=str(folder.data), launcher_pid=folder.holder())
    state = folder.read_state()
    if state is None or status.launcher_pid is None:
        return status
    status.running = True
    status.room = settings.local.disk.room()
    from cli.upkeep.status_bus import ask_the_bus  # Takes half a second to import.

    if state.cluster:
        settings = as_cluster(settings)
    parts = declare_parts(settings).values()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask_the_bus(settings, status))
        own_turns = group.create_task(_own_turns())
        tasks = [group.create_task(_part_status(part, state.parts.get(part.name))) for part in parts]
    status.parts = [task.result() for task in tasks]
    status.turns = own_turns.result()
    status.ready = all(part.ready for part in status.parts) and not status.room.is_full
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
    except (GatewayError, SettingsError) as error:
        return OwnTurns(note=str(error))
