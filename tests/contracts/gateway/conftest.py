"""What several tests of the gateway stand on."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from tests.contracts.gateway.gateway_room import KEYS, Client, Indexer
from tests.contracts.gateway.raw_room import raw_gateway
from tests.contracts.inference.engines_server import ChatServer, chat_server
from tests.servers.nats import bus_to


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
    async with raw_gateway(bus, url, server) as connected:
        yield connected


@pytest.fixture
async def raw(raw_client: Client) -> AsyncIterator[Any]:
    """OpenAI's own client of it. Without retries: each refusal is seen."""
    async with openai.AsyncOpenAI(
        base_url=f"{raw_client.url}/v1", api_key=KEYS["alice"], max_retries=0
    ) as connected:
        yield connected
