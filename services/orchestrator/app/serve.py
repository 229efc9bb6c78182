"""Wires the orchestrator, and runs it until it is told to stop."""

import time
from contextlib import AsyncExitStack
from typing import Any

from services.orchestrator.app.background import (
    Start,
    background,
    forgetting,
    reflecting,
    watch_streams,
)
from services.orchestrator.app.phases import phase_deps, toolbox
from services.orchestrator.app.stores import Stores
from services.orchestrator.app.turns import Turns, declaring, open_turns
from services.orchestrator.conversations.kept import Conversations
from services.orchestrator.conversations.nats import BusConversationTexts
from services.orchestrator.documents.archive import TurnArchive
from services.orchestrator.documents.export import DocumentExport
from services.orchestrator.documents.reading import EndedTurns
from services.orchestrator.forgetting.nats import on_forgotten_turns
from services.orchestrator.forgetting.unended_turns import UnendedTurns
from services.orchestrator.images.uploads import Uploads
from services.orchestrator.phases.deps import Deps
from services.orchestrator.phases.last_workers import LastWorkers
from services.orchestrator.queue.nats_dead_letters import BusDeadLetters
from services.orchestrator.recipes.nats import BusSessionRecipes
from services.orchestrator.recipes.sessions import Sessions
from services.orchestrator.settings import OrchestratorSettings
from shared.bus.connection import Bus
from shared.bus.deliveries import Consumer, consuming
from shared.bus.endpoints import endpoints_of
from shared.contract.requests import Models, Ping
from shared.process.health import Health, health_app
from shared.process.http import serve_http
from shared.process.retrying import until_there


async def serve(settings: OrchestratorSettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        port = settings.orchestrator_port
        await stack.enter_async_context(
            serve_http(health_app(health), settings.bind_host, port, "ORCHESTRATOR_PORT")
        )
        stores = Stores(settings.pandora_data_dir)
        bus = await stack.enter_async_context(Bus.connect("orchestrator", settings))
        await until_there("the streams", declaring(bus, settings, stores))
        health.depends_on("disk", settings.disk.check)
        _name_dependencies(health, bus)
        tools = await stack.enter_async_context(toolbox(settings, bus, stores))
        workers = LastWorkers()
        await workers.listen(bus)
        deps = phase_deps(settings, bus, stores, tools, workers)
        start = await stack.enter_async_context(background())
        turns = await open_turns(bus, settings, stores, deps, start)
        archive = _archive(settings, stores, turns)
        await _answer(bus, settings, stores, deps, turns, archive)
        consumers = _consumers(bus, settings, stores, turns, start)
        await stack.enter_async_context(consuming(bus, *consumers))
        start(watch_streams(bus.jetstream))
        start(turns.places.run())
        start(archive.run())
        start(turns.dispatcher.run())
        await health.run_until_stopped()
        await turns.dispatcher.stop(settings.stop_timeout_seconds)


def _name_dependencies(health: Health, bus: Bus) -> None:
    health.depends_on("nats", bus.check)
    health.depends_on("indexer", bus.check_of(Ping()))
    health.depends_on("inference", bus.check_of(Models()))


def _archive(settings: OrchestratorSettings, stores: Stores, turns: Turns) -> TurnArchive:
    return TurnArchive(
        stores.archive,
        time.time,
        after_days=settings.archive_after_days,
        is_busy=lambda: turns.dispatcher.is_busy,
    )


async def _answer(
    bus: Bus,
    settings: OrchestratorSettings,
    stores: Stores,
    deps: Deps,
    turns: Turns,
    archive: TurnArchive,
) -> None:
    """Registers every request that this service answers."""
    answering = (
        EndedTurns(stores.documents),
        turns.current,
        turns.controls,
        Sessions(BusSessionRecipes(bus), deps.recipes, deps.clock),
        Conversations(BusConversationTexts(bus), deps.clock),
        DocumentExport(stores.documents),
        archive,
        Uploads(stores.files, limit_bytes=settings.file_limit_bytes),
        BusDeadLetters(bus),
    )
    await bus.serve("Turns and their documents", endpoints_of(*answering))
    await on_forgotten_turns(bus, deps.recent.forget)


def _consumers(
    bus: Bus, settings: OrchestratorSettings, stores: Stores, turns: Turns, start: Start
) -> list[Consumer[Any]]:
    unended = UnendedTurns(turns.current, turns.controls)
    consumers: list[Consumer[Any]] = [forgetting(bus, settings, unended, stores, start)]
    if settings.reflector == "on":
        consumers.append(reflecting(bus, settings, start))
    return consumers
