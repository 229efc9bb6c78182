"""The Model Context Protocol on stdin and stdout: what comes in is asked at the gateway's `/mcp`.

The official package speaks on both sides, and each side may have a version of its own. The tools are the
gateway's.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from cli.client.address import gateway_key, gateway_url
from cli.client.gateway import Patience, json_body, own_gateway
from shared.process.version import VERSION

R = TypeVar("R")
_Context = ServerRequestContext[Any, Any]
_Listing = types.PaginatedRequestParams | None
_CONNECT_SECONDS = 30.0
_PING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
_ACCEPT = {"Accept": "application/json, text/event-stream"}


async def serve_stdio() -> None:
    """Returns when stdin ends. Raises GatewayError where no gateway answers at the start, or it refuses."""
    async with (
        own_gateway(Patience(total=_CONNECT_SECONDS)) as gateway,
        gateway.open("POST", "/mcp", body=json_body(_PING), headers=_ACCEPT),
    ):
        pass
    server = await _forwarding()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


@asynccontextmanager
async def _connected() -> AsyncIterator[Client]:
    key = gateway_key()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = httpx2.Timeout(_CONNECT_SECONDS, read=None)  # A turn may take long.
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout) as http,
        Client(streamable_http_client(f"{gateway_url()}/mcp", http_client=http), cache=None) as client,
    ):
        yield client


async def _asked(ask: Callable[[Client], Awaitable[R]]) -> R:
    """Asks by a connection of its own: where that breaks, it takes all with it that is asked on it.

    Raises MCPError.
    """
    try:
        async with _connected() as client:
            try:
                return await ask(client)
            except MCPError as error:  # Raised out here, the package would wrap it in groups.
                refusal = error
    except Exception as error:
        raise MCPError(
            types.INTERNAL_ERROR,
            f"The gateway at {gateway_url()} did not answer ({_reason(error)}). See `pandora status`.",
        ) from error
    raise refusal


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def _forwarding() -> Server[Any]:
    """Returns a server that answers as the gateway does."""

    async def list_tools(_: _Context, params: _Listing) -> types.ListToolsResult:
        return await _asked(lambda client: client.list_tools(cursor=_cursor(params)))

    async def call_tool(context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tell = context.session.report_progress
        return await _asked(
            lambda client: client.call_tool(params.name, params.arguments, progress_callback=tell)
        )

    async def list_resources(_: _Context, params: _Listing) -> types.ListResourcesResult:
        return await _asked(lambda client: client.list_resources(cursor=_cursor(params)))

    async def list_templates(_: _Context, params: _Listing) -> types.ListResourceTemplatesResult:
        return await _asked(lambda client: client.list_resource_templates(cursor=_cursor(params)))

    async def read_resource(_: _Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        return await _asked(lambda client: client.read_resource(params.uri))

    async with _connected() as client:
        instructions = client.instructions
    return Server(
        "pandora",
        version=VERSION,
        instructions=instructions,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )


def _cursor(params: _Listing) -> str | None:
    return params.cursor if params else None
