"""Wires the orchestrator."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from uuid_utils import uuid7

from services.orchestrator.adapters.folder import FolderDocuments
from services.orchestrator.adapters.folder_archive import FolderArchive
from services.orchestrator.adapters.folder_files import FolderFiles
from services.orchestrator.adapters.nats import BusModel, BusOutcomes
from services.orchestrator.adapters.nats_dead_letters import BusDeadLetters
from services.orchestrator.adapters.nats_forgetting import BusIndexer, BusTraces, hear_forgotten
from services.orchestrator.adapters.nats_queue import BusLeases, Peers, hear_ends, leases_tail, turns_tail
from services.orchestrator.adapters.nats_sessions import BusSessionRecipes
from services.orchestrator.adapters.pillow_pictures import look
from services.orchestrator.archive import Archive
from services.orchestrator.archiving import Archiving
from services.orchestrator.burying import burying
from services.orchestrator.controls import Controls
from services.orchestrator.declaring import declare
from services.orchestrator.dispatch import Dispatcher
from services.orchestrator.domain.queue import TurnQueue
from services.orchestrator.domain.turn import Turn
from services.orchestrator.equipment import equipment, time_limits, toolbox
from services.orchestrator.exporting import Exporting
from services.orchestrator.files import Filing
from services.orchestrator.forgetting import Forgetting
from services.orchestrator.halting import Halting
from services.orchestrator.phases.deps import Deps
from services.orchestrator.places import Places
from services.orchestrator.ports import Held
from services.orchestrator.reflector import Reflector
from services.orchestrator.run import TurnRun
from services.orchestrator.sessions import Sessions
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.unrun import Unrun
from shared import metrics
from shared.bus import Bus
from shared.deliveries import Batches, Consumer, consuming
from shared.endpoints import Endpoint
from shared.events import ForgetRequested, TurnSaved
from shared.replies import (
    Control,
    ControlHere,
    Controlled,
    Count,
    Models,
    Recipes,
    RecipesReply,
)
from shared.runtime import Health, answers, health_app, serve_http, until_there
from shared.streams import (
    DURABLES,
    ORCHESTRATOR_FORGET_REQUESTED,
    ORCHESTRATOR_TURN_SAVED,
    STREAMS,
)

log = logging.getLogger(__name__)
_WATCH_SECONDS = 2.0
_BEAT_SECONDS = 1.0
_FORGOTTEN_TOGETHER, _FORGET_WINDOW_SECONDS = 32, 0.05


async def serve(settings: OrchestratorSettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serve_http(
                health_app(health), settings.bind_host, settings.orchestrator_port, "ORCHESTRATOR_PORT"
            )
        )
        documents = FolderDocuments(settings.pandora_data_dir / "turns")
        files = FolderFiles(settings.pandora_data_dir / "files", look, _now)
        bus = await stack.enter_async_context(Bus.connect("orchestrator", settings))

        async def declare_again() -> None:
            await declare(bus, documents, settings)

        await until_there("the streams", declare_again)
        health.depends_on("nats", bus.check)
        health.depends_on("indexer", answers(bus, Count()))
        health.depends_on("inference", answers(bus, Models()))

        own = f"{uuid7()}"
        tools = await stack.enter_async_context(toolbox(settings, bus, documents, _now))
        deps = equipment(settings, bus, documents, files, tools, _now)
        leases, outcomes = BusLeases(bus), BusOutcomes(bus)
        session_recipes = BusSessionRecipes(bus)
        limits = time_limits(settings)
        unrun = Unrun(deps, outcomes)

        def make_run(turn: Turn, held: Held, has_waited: bool) -> TurnRun:
            return TurnRun(turn, held, deps, session_recipes, leases, outcomes, limits, has_waited=has_waited)

        dispatcher = Dispatcher(
            own,
            TurnQueue(),
            leases,
            make_run,
            unrun,
            deps.clock,
            concurrency=settings.orchestrator_concurrency,
        )
        peers = Peers(bus, own, every_seconds=_BEAT_SECONDS)
        places = Places(
            dispatcher,
            deps.announcements,
            may_tell=lambda: peers.is_first,
            processes=lambda: len(peers.alive),
        )

        async def ask_holder(holder: str, request: Control) -> Controlled:
            return await bus.ask(ControlHere(holder=holder, turn_id=request.turn_id, control=request))

        watching = _tasks(stack)
        # Leases first: a turn whose lease is not known yet looks as if nobody ran it.
        held = leases_tail(bus, dispatcher.see_lease, dispatcher.forget_leases, declare_again)
        watching(held.run())
        await hear_ends(bus, dispatcher.see_end)
        watching(peers.run())
        await held.caught_up.wait()
        turns = turns_tail(bus, dispatcher.see_turn, burying(bus, outcomes), declare_again)
        watching(turns.run())
        await turns.caught_up.wait()
        controls = Controls(dispatcher, places, leases, documents, unrun, ask_holder, turns.is_behind)
        await bus.listen(
            ControlHere(holder=own, turn_id="own", control=Control(user="-", action="cancel")).address(),
            Endpoint(ControlHere, lambda request, send: controls.control_here(request.control)),
        )
        archiving = Archiving(
            FolderArchive(settings.pandora_data_dir / "turns"),
            time.time,
            after_days=settings.archive_after_days,
            is_busy=lambda: dispatcher.is_busy,
        )
        sessions = Sessions(session_recipes, deps.recipes, deps.clock)
        filing = Filing(files, limit_bytes=settings.file_limit_bytes)
        answering = (Archive(documents), controls, sessions, Exporting(documents), archiving, filing)
        endpoints = [endpoint for one in (*answering, BusDeadLetters(bus)) for endpoint in one.endpoints()]
        endpoints.append(Endpoint(Recipes, lambda request, send: _recipes(deps)))
        await bus.serve("Turns and their documents", endpoints)
        await hear_forgotten(bus, deps.recent.forget)
        consumers: list[Consumer[Any]] = [
            _forgetting(bus, settings, Halting(controls, leases), documents, files, watching)
        ]
        if settings.reflector == "on":
            consumers.append(_reflecting(bus, settings))
        await stack.enter_async_context(consuming(bus, *consumers))
        watching(_watch_peers(peers, dispatcher))
        watching(_watch_streams(bus.jetstream))
        watching(places.run())
        watching(archiving.run())
        watching(dispatcher.run())
        await health.run_until_stopped()
        await dispatcher.stop(settings.stop_timeout_seconds)


async def _recipes(deps: Deps) -> RecipesReply:
    return RecipesReply(names=deps.recipes.names())


def _now() -> datetime:
    return datetime.now(UTC)


def _forgetting(
    bus: Bus,
    settings: OrchestratorSettings,
    halting: Halting,
    documents: FolderDocuments,
    files: FolderFiles,
    start: Any,
) -> Consumer[ForgetRequested]:
    traces = BusTraces(bus, replicas=settings.nats_replicas)
    forgetting = Forgetting(BusIndexer(bus), halting, documents, files, traces, _now)
    orders: Batches[ForgetRequested] = Batches(
        forgetting.on_forget_requested, limit=_FORGOTTEN_TOGETHER, window_seconds=_FORGET_WINDOW_SECONDS
    )
    # Two: while the bytes of some are erased, the next ones are forgotten already.
    for _ in range(2):
        start(orders.run())
    return Consumer(
        bus, ORCHESTRATOR_FORGET_REQUESTED, ForgetRequested, orders, workers=2 * _FORGOTTEN_TOGETHER
    )


def _reflecting(bus: Bus, settings: OrchestratorSettings) -> Consumer[TurnSaved]:
    reflector = Reflector(BusModel(bus, silence_seconds=settings.engine_silence_seconds))
    return Consumer(
        bus, ORCHESTRATOR_TURN_SAVED, TurnSaved, reflector.on_turn_saved, workers=reflector.workers
    )


def _tasks(stack: AsyncExitStack) -> Any:
    """Starts tasks that end with the stack."""
    tasks: list[asyncio.Task[None]] = []

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)

    def start(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    return start


async def _watch_peers(peers: Peers, dispatcher: Dispatcher) -> None:
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        dispatcher.see_dead(peers.dead_among(dispatcher.queue.holders()))


async def _watch_streams(jetstream: JetStreamContext) -> None:
    """Keeps the depth of every stream and durable on the dashboards."""
    while True:
        with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError):
            for stream in STREAMS:
                state = (await jetstream.stream_info(str(stream.name))).state
                metrics.stream_messages.labels(str(stream.name)).set(state.messages)
            for durable in DURABLES:
                info = await jetstream.consumer_info(durable.stream, durable.name)
                waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
                metrics.durable_pending.labels(durable.name).set(waiting)
        await asyncio.sleep(_WATCH_SECONDS)
