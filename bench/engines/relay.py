"""python -m bench.engines.relay: the shortest orchestrator there can be.

A turn is taken from its queue, generated, and ended; nothing is gathered and nothing is written down. What is
left between gateway and engine is the bus alone.
"""

from collections.abc import Sequence

from services.orchestrator.phases.nats import BusModel
from services.orchestrator.settings import OrchestratorSettings
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.deliveries import Consumer, Delivery, consuming
from shared.bus.durables import ORCHESTRATOR_TURN_REQUESTED
from shared.bus.endpoints import endpoint, endpoints_of
from shared.contract.events import Event, Queued, Saved, TurnRequested, live_subject
from shared.contract.requests import Generate, Message, Recipes, RecipesReply
from shared.process.health import Health, health_app
from shared.process.http import serve_http
from shared.process.runtime import main

_QUEUE_LIMIT = 1_000_000


class Relay:
    """Hands each turn's words to the engine and ends the turn with what came."""

    def __init__(self, bus: Bus, silence_seconds: float) -> None:
        self._bus = bus
        self._model = BusModel(bus, silence_seconds=silence_seconds)

    async def on_turn_requested(self, request: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        await self._bus.emit(
            request.turn_id,
            Queued(
                index=0,
                turn_id=request.turn_id,
                turn_number=delivery.sequence,
                session_id=request.session_id,
                user=request.user,
            ),
        )
        generated = await self._model.generate(
            Generate(
                request_id=request.turn_id,
                messages=[Message("user", request.input)],
                question=request.input,
                stream_to=live_subject(request.turn_id),
                first_index=1,
            )
        )
        await self._bus.emit(
            request.turn_id,
            Saved(
                index=generated.next_index,
                turn_id=request.turn_id,
                turn_number=delivery.sequence,
                session_id=request.session_id,
                output=generated.text,
                sources=[],
                usage=generated.usage,
                model=generated.model,
            ),
        )
        return []

    @endpoint
    async def recipes(self, request: Recipes) -> RecipesReply:
        return RecipesReply(names=["direct"])


async def serve(settings: OrchestratorSettings, health: Health) -> None:
    async with (
        serve_http(health_app(health), settings.bind_host, settings.orchestrator_port, "ORCHESTRATOR_PORT"),
        Bus.connect("orchestrator", settings) as bus,
    ):
        # An acknowledged turn stays in the queue: only the real orchestrator takes it out.
        await declare_streams(bus.jetstream, first_turn_number=1, queue_limit=_QUEUE_LIMIT)
        health.depends_on("nats", bus.check)
        relay = Relay(bus, settings.engine_silence_seconds)
        await bus.serve("Turns without memory", endpoints_of(relay))
        consumer = Consumer(
            bus,
            ORCHESTRATOR_TURN_REQUESTED,
            relay.on_turn_requested,
            workers=settings.orchestrator_concurrency,
        )
        async with consuming(bus, consumer):
            await health.run_until_stopped()


if __name__ == "__main__":
    main("orchestrator", OrchestratorSettings, serve)
