"""What several tests of the gateway stand on."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from services.inference.openai.engine import OpenAiEngine
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from tests.contracts.gateway.gateway_room import KEYS, Client, Indexer, Orchestrator, gateway_over_http
from tests.contracts.inference.engines_room import settings_for
from tests.contracts.inference.engines_server import ChatServer, chat_server
from tests.servers.nats import bus_to
from tests.unit.inference.inference_room import serve


@pytest.fixture
async def indexer(url: str) -> AsyncIterator[Indexer]:
    answers = Indexer()
    async with bus_to(url, "indexer") as other:
        await other.serve("a few lines", endpoints_of(answers))
        yield answers


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    """An OpenAI-compatible server, whose models are those of the engine."""
    async with chat_server() as running:
        yield running


@pytest.fixture
async def raw_client(bus: Bus, url: str, server: ChatServer) -> AsyncIterator[Client]:
    """A gateway in front of a real inference worker, which asks the server."""
    async with (
        OpenAiEngine.connected(settings_for(server, model="parrot")) as engine,
        bus_to(url, "inference") as worker,
        bus_to(url, "orchestrator") as orchestrator,
        gateway_over_http(bus) as connected,
    ):
        await serve(worker, engine)
        await orchestrator.serve("its recipes", endpoints_of(Orchestrator()))
        yield connected


@pytest.fixture
async def raw(raw_client: Client) -> AsyncIterator[Any]:
    """OpenAI's own client of it. Without retries: each refusal is seen."""
    async with openai.AsyncOpenAI(
        base_url=f"{raw_client.url}/v1", api_key=KEYS["alice"], max_retries=0
    ) as connected:
        yield connected
