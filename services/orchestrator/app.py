"""Wires the orchestrator."""

import asyncio
import contextlib
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from services.orchestrator.adapters.folder import FolderDocuments
from services.orchestrator.adapters.nats import BusAnnouncements, BusMemory, BusModel
from services.orchestrator.declaring import declare
from services.orchestrator.handlers import Archive, Orchestrator
from services.orchestrator.phases.tools import Limits, Tools
from services.orchestrator.recent import RecentTurns
from services.orchestrator.settings import OrchestratorSettings
from shared import metrics
from shared.bus import Bus
from shared.deliveries import Consumer, consuming
from shared.endpoints import Endpoint
from shared.events import TurnRequested
from shared.replies import Count, GetDocument, GetTurn, ListDocuments, Models, Recipes
from shared.runtime import Health, answers, health_app, serve_http, until_there
from shared.streams import DURABLES, ORCHESTRATOR_TURN_REQUESTED, STREAMS

_WATCH_SECONDS = 2.0


async def serve(settings: OrchestratorSettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serve_http(
                health_app(health), settings.bind_host, settings.orchestrator_port, "ORCHESTRATOR_PORT"
            )
        )
        documents = FolderDocuments(settings.pandora_data_dir / "turns")
        bus = await stack.enter_async_context(Bus.connect("orchestrator", settings))
        await until_there("the streams", lambda: declare(bus, documents, settings))
        health.depends_on("nats", bus.check)
        health.depends_on("indexer", answers(bus, Count()))
        health.depends_on("inference", answers(bus, Models()))

        tools = Tools(
            memory=BusMemory(bus),
            model=BusModel(bus, silence_seconds=settings.engine_silence_seconds),
            announcements=BusAnnouncements(bus),
            documents=documents,
            recent=RecentTurns(),
            limits=Limits(
                context_passages=settings.context_passages,
                context_budget_tokens=settings.context_budget_tokens,
                history_turns=settings.history_turns,
            ),
            clock=lambda: datetime.now(UTC),
        )
        orchestrator = Orchestrator(tools, turn_timeout_seconds=settings.turn_timeout_seconds)
        await bus.serve("Turns and their documents", _endpoints(Archive(documents)))
        consumer = Consumer(
            bus,
            ORCHESTRATOR_TURN_REQUESTED,
            TurnRequested,
            orchestrator.on_turn_requested,
            workers=settings.orchestrator_concurrency,
        )
        watch = asyncio.create_task(_watch_streams(bus.jetstream))
        stack.callback(watch.cancel)
        await stack.enter_async_context(consuming(bus, consumer))
        await health.run_until_stopped()


def _endpoints(archive: Archive) -> list[Endpoint]:
    return [
        Endpoint(GetTurn, lambda request, send: archive.get_turn(request)),
        Endpoint(ListDocuments, lambda request, send: archive.list_documents(request)),
        Endpoint(GetDocument, lambda request, send: archive.get_document(request)),
        Endpoint(Recipes, lambda request, send: archive.recipes(request)),
    ]


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
