"""A gateway and an engine whose own models it offers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.inference.openai.engine import OpenAiEngine
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from tests.contracts.gateway.gateway_room import Client, Orchestrator, gateway_over_http
from tests.contracts.inference.engines_room import settings_for
from tests.contracts.inference.engines_server import ChatServer
from tests.servers.nats import bus_to
from tests.unit.inference.inference_room import serve


@asynccontextmanager
async def raw_gateway(bus: Bus, url: str, server: ChatServer, **settings: Any) -> AsyncIterator[Client]:
    """A gateway with these settings in front of a real inference worker, which asks the server."""
    async with (
        OpenAiEngine.connected(settings_for(server, model="parrot")) as engine,
        bus_to(url, "inference") as worker,
        bus_to(url, "orchestrator") as orchestrator,
        gateway_over_http(bus, **settings) as connected,
    ):
        await serve(worker, engine)
        await orchestrator.serve("its recipes", endpoints_of(Orchestrator()))
        yield connected
