"""What runs beside the turns: the consumers of stored events, and what watches peers and streams."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext

from services.orchestrator.app.stores import Stores, now
from services.orchestrator.forgetting.erasing import Erasing
from services.orchestrator.forgetting.nats import BusIndexer, BusTraces
from services.orchestrator.forgetting.steps import Forgetting
from services.orchestrator.forgetting.unended_turns import UnendedTurns
from services.orchestrator.phases.nats import BusModel
from services.orchestrator.recipes.nats import BusSessionRecipes
from services.orchestrator.reflection.reflector import Reflector
from services.orchestrator.settings import OrchestratorSettings
from shared.bus.connection import Bus
from shared.bus.deliveries import Batches, Consumer
from shared.bus.durables import DURABLES, ORCHESTRATOR_FORGET_REQUESTED, ORCHESTRATOR_TURN_SAVED
from shared.bus.streams import STREAMS
from shared.contract.events import ForgetRequested, TurnSaved
from shared.process import metrics

Start = Callable[[Coroutine[Any, Any, None]], None]
_WATCH_SECONDS = 15.0
"""Prometheus asks no more often by default."""
_FORGOTTEN_TOGETHER, _FORGET_WINDOW_SECONDS = 32, 0.05


@contextlib.asynccontextmanager
async def background() -> AsyncIterator[Start]:
    """Starts tasks that end with the block."""
    tasks: list[asyncio.Task[None]] = []

    def start(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    try:
        yield start
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def forgetting(
    bus: Bus, settings: OrchestratorSettings, unended: UnendedTurns, stores: Stores, start: Start
) -> Consumer[ForgetRequested]:
    traces = BusTraces(bus, replicas=settings.nats_replicas)
    indexer, recipes = BusIndexer(bus), BusSessionRecipes(bus)
    erasing = Erasing(indexer, traces, now, hours=settings.forget_erase_hours)
    forgets = Forgetting(indexer, unended, stores.documents, stores.files, traces, recipes, erasing, now)
    orders: Batches[ForgetRequested] = Batches(
        forgets.on_forget_requested, limit=_FORGOTTEN_TOGETHER, window_seconds=_FORGET_WINDOW_SECONDS
    )
    start(erasing.run())
    # Two: while the bytes of some are erased, the next ones are forgotten already.
    for _ in range(2):
        start(orders.run())
    return Consumer(bus, ORCHESTRATOR_FORGET_REQUESTED, orders, workers=2 * _FORGOTTEN_TOGETHER)


def reflecting(bus: Bus, settings: OrchestratorSettings, start: Start) -> Consumer[TurnSaved]:
    reflector = Reflector(BusModel(bus, silence_seconds=settings.engine_silence_seconds), bus.publish)
    start(reflector.run())
    return Consumer(bus, ORCHESTRATOR_TURN_SAVED, reflector.on_turn_saved, workers=reflector.workers)


async def watch_streams(jetstream: JetStreamContext) -> None:
    """Keeps the depth of every stream and durable on the dashboards."""
    names = {str(stream.name) for stream in STREAMS}
    while True:
        with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError):
            for stream in await jetstream.streams_info():
                if stream.config.name in names:
                    metrics.stream_messages.labels(stream.config.name).set(stream.state.messages)
            for durable in DURABLES:
                info = await jetstream.consumer_info(durable.stream, durable.name)
                waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
                metrics.durable_pending.labels(durable.name).set(waiting)
        await asyncio.sleep(_WATCH_SECONDS)
