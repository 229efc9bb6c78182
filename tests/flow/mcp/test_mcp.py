"""The Model Context Protocol over both transports, by the official client, in front of the whole stack."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.stack import KEYS, ROOT, Stack

TRANSPORTS = ["http", "stdio"]


_SECONDS = 60.0


@asynccontextmanager
async def client_by(transport: str, stack: Stack, user: str = "alice", **more: Any) -> AsyncIterator[Client]:
    if transport == "stdio":
        own = stack.environment | {"PANDORA_API_KEY": KEYS[user], "PYTHONPATH": str(ROOT)}
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "cli.main", "mcp"], env=own, cwd=stack.data_dir
        )
        async with Client(command, cache=None, **more) as client:
            yield client
        return
    async with (
        httpx2.AsyncClient(headers=stack.headers(user), timeout=_SECONDS) as http,
        Client(
            streamable_http_client(f"{stack.gateway_url}/mcp", http_client=http), cache=None, **more
        ) as client,
    ):
        yield client


def text_of(result: types.CallToolResult) -> str:
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_asks_remembers_and_reads(stack: Stack, transport: str) -> None:
    told: list[str | None] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    boat = f"Mathilda{transport}"
    async with client_by(transport, stack) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [
            *("ask", "search", "remember", "recall", "get_turn")
        ]

        said = await client.call_tool("ask", {"text": f"My canoe is called {boat}."}, progress_callback=note)
        turn = said.structured_content
        assert not said.is_error
        assert turn["status"] == "saved"
        assert f"turn {turn['turn_id']} is stored" in told
        assert "synthesis" in told
        again = await client.call_tool("get_turn", {"turn_id": turn["turn_id"]})
        assert again.structured_content == turn

        await stack.until_indexed(turn["turn_id"])
        found = await client.call_tool("search", {"query": f"{boat} canoe", "limit": 1})
        assert boat in found.structured_content["hits"][0]["text"]

        await client.call_tool("remember", {"text": f"Keeps the keys of {boat} in a tin."})
        known = await client.call_tool("recall", {"words": f"{boat} tin"})
        assert [one["text"] for one in known.structured_content["memories"]] == [
            f"Keeps the keys of {boat} in a tin."
        ]

        listed = (await client.list_resources()).resources
        uri = next(one.uri for one in listed if turn["turn_id"] in one.uri and one.name == "context.md")
        contents = (await client.read_resource(uri)).contents[0]
        assert isinstance(contents, types.TextResourceContents)
        assert boat in contents.text

        with pytest.raises(MCPError, match="there is no tool"):
            await client.call_tool("forget", {})


async def test_what_goes_wrong_is_said(stack: Stack) -> None:
    mine = await stack.ask("My cellar has two doors.")
    async with client_by("http", stack, user="bob") as client:
        for name, arguments, said in [
            ("ask", {"text": "Hello", "recipe": "none"}, "there is no recipe 'none'"),
            ("ask", {}, "missing required field `text`"),
            ("get_turn", {"turn_id": mine["turn_id"]}, "there is no turn"),
            ("search", {"query": "doors", "user": "alice"}, "there is no user alice for this key of bob"),
        ]:
            result = await client.call_tool(name, arguments)
            assert (result.is_error, said in text_of(result)) == (True, True), text_of(result)

        with pytest.raises(MCPError, match="there is no tool"):
            await client.call_tool("forget", {})
        with pytest.raises(MCPError, match="there is no"):
            await client.read_resource(f"pandora://turns/{mine['turn_id']}/documents/context.md")


async def test_an_older_client_is_served_as_well(stack: Stack) -> None:
    async with client_by("http", stack, mode="legacy") as client:
        known = await client.call_tool("recall", {})

    assert not known.is_error
