"""python -m bench.relay: the shortest orchestrator there can be.

A turn is taken from its queue, generated, and ended; nothing is gathered and nothing is written down. What is
left between gateway and engine is the bus alone.
"""

from collections.abc import Sequence

from services.orchestrator.adapters.nats import BusModel
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.stopping import Stopping
from shared.bus import Bus
from shared.declaring import declare_streams
from shared.deliveries import Consumer, Delivery, consuming
from shared.endpoints import Endpoint, Send
from shared.events import Event, Queued, Saved, TurnRequested, live_subject
from shared.replies import Generate, Message, Recipes, RecipesReply
from shared.runtime import Health, health_app, main, serve_http
from shared.streams import ORCHESTRATOR_TURN_REQUESTED

_QUEUE_LIMIT = 1_000_000


class Relay:
    """Hands each turn's words to the engine and ends the turn with what came."""

    def __init__(self, bus: Bus, silence_seconds: float) -> None:
        self._bus = bus
        self._model = BusModel(bus, silence_seconds=silence_seconds)

    async def on_turn_requested(self, request: TurnRequested, delivery: Delivery) -> Sequence[Event]:
        # As the orchestrator does: the gateway's own may come behind the first token.
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
            ),
            Stopping(),
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

    async def recipes(self, request: Recipes, send: Send) -> RecipesReply:
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
        await bus.serve("Turns without memory", [Endpoint(Recipes, relay.recipes)])
        consumer = Consumer(
            bus,
            ORCHESTRATOR_TURN_REQUESTED,
            TurnRequested,
            relay.on_turn_requested,
            workers=settings.orchestrator_concurrency,
        )
        async with consuming(bus, consumer):
            await health.run_until_stopped()


if __name__ == "__main__":
    main("orchestrator", OrchestratorSettings, serve)
