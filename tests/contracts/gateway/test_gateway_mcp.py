"""The Model Context Protocol: a key is offered what it may do, and a full disk takes nothing new."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from litestar.types import Receive, Scope, Send
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from services.gateway.asking.nats import BusAsk
from services.gateway.http.callers import Caller
from services.gateway.mcp.documents import TurnDocuments
from services.gateway.mcp.server import McpServer, endpoint
from services.gateway.mcp.tools import Tools
from shared.bus.connection import Bus
from shared.contract.abilities import FOR_USERS, Ability
from shared.process.room import Disk
from tests.contracts.gateway.gateway_room import Indexer, gateway_over_http

NOTHING: Any = None
"""What no call here comes to."""


@asynccontextmanager
async def client_with(bus: Bus, *abilities: Ability, reserve_bytes: int = 0) -> AsyncIterator[Client]:
    ask = BusAsk(bus, hold_seconds=0.0)
    served = McpServer(
        Tools(ask, NOTHING, NOTHING).listed(), TurnDocuments(ask), Disk(Path("/"), reserve_bytes)
    )
    answer = endpoint(served)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["user"] = Caller("alice", frozenset(abilities))
        await answer(scope, receive, send)

    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(cast(Any, app))) as http,
        Client(streamable_http_client("http://gateway/mcp", http_client=http), cache=None) as client,
    ):
        yield client


async def test_a_key_is_offered_what_it_may_do(bus: Bus, indexer: Indexer) -> None:
    async with client_with(bus, Ability.MCP_CONNECT, Ability.MEMORY_READ) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["search", "recall"]

        found = await client.call_tool("search", {"query": "bees"})
        with pytest.raises(MCPError, match="there is no tool 'remember' for this key"):
            await client.call_tool("remember", {"text": "Keeps bees."})
        with pytest.raises(MCPError, match="this key may not read turns"):
            await client.list_resources()

    assert found.structured_content == {"hits": []}
    assert [(asked.user, asked.query) for asked in indexer.searches] == [("alice", "bees")]


async def test_a_full_disk_takes_nothing_new(bus: Bus, indexer: Indexer) -> None:
    async with client_with(bus, *FOR_USERS, reserve_bytes=2**62) as client:
        for name in ("ask", "remember"):
            refused = await client.call_tool(name, {"text": "Keeps bees."})
            assert refused.is_error
            assert "is full" in str(refused.content)

        assert not (await client.call_tool("search", {"query": "bees"})).is_error


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://evil.example"}, 403),
    ],
)
async def test_a_page_of_another_site_is_not_let_in(bus: Bus, headers: dict[str, str], status: int) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    sent = {"x-api-key": "alice-secret-key", "accept": "application/json, text/event-stream", **headers}
    async with (
        gateway_over_http(bus, gateway_host="127.0.0.1") as client,
        client.open_as_stranger("POST", "/mcp", ping, sent) as response,
    ):
        assert response.status == status
