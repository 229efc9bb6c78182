"""Tools of other servers, by the Model Context Protocol.

Each server has a task that connects, checks the connection from time to time, and connects again where it is
lost. A call never waits for that: while the server is away, the call returns an error result.
"""

import asyncio
import contextlib
import importlib
import json
import logging
import re
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

import msgspec

from services.orchestrator.tools.arguments import without_patterns
from services.orchestrator.tools.mcp_content import reason_of, text_of
from services.orchestrator.tools.mcp_servers import McpServer
from services.orchestrator.tools.tool import (
    NAME_PATTERN,
    Caller,
    Permission,
    Tool,
    ToolLimits,
    ToolResult,
    ToolSource,
)

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import Tool as ListedTool

log = logging.getLogger(__name__)
_MOST_TOOLS, _MOST_PAGES = 128, 20
_LONGEST_DESCRIPTION, _LONGEST_SCHEMA = 1_000, 20_000


class Pace(msgspec.Struct, frozen=True):
    connect_seconds: float = 30.0
    check_seconds: float = 15.0
    """Time between two checks of a connected server, whose tools may change too."""
    first_wait_seconds: float = 0.5
    """Wait before the second try; each further wait is twice as long."""
    longest_wait_seconds: float = 60.0
    close_seconds: float = 10.0


class McpTools:
    """A ToolSet of all servers. Entering it waits for no server; leaving it closes all connections."""

    def __init__(self, servers: Sequence[McpServer], pace: Pace | None = None) -> None:
        self._connections = [_Connection(server, pace or Pace()) for server in servers]

    async def __aenter__(self) -> Self:
        for each in self._connections:
            each.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*(each.close() for each in self._connections))

    def tools(self) -> list[Tool]:
        """The tools of all servers that were ever connected. While a server is away, its tools return
        errors."""
        return [tool for each in self._connections for tool in each.tools]


@dataclass(frozen=True)
class McpTool:
    """A Tool of a server."""

    name: str
    description: str
    permission: Permission
    approval: bool
    limits: ToolLimits
    schema: dict[str, Any]
    name_at_server: str
    connection: "_Connection"

    async def __call__(self, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        return await self.connection.call(self.name_at_server, arguments)


class _Connection:
    """The connection to one server, and its repeated tries."""

    def __init__(self, server: McpServer, pace: Pace) -> None:
        self.server = server
        self.tools: list[Tool] = []
        self._pace = pace
        self._client: Client | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing = False
        self._woken = asyncio.Event()
        """Set to check the server at once, or to end."""

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name=f"MCP server {self.server.name}")

    async def close(self) -> None:
        """Closes a connection in order. Does not wait for a server that is away."""
        self._closing = True
        self._woken.set()
        if self._running is None:
            return
        if self._client is None:
            self._running.cancel()
        await asyncio.wait({self._running}, timeout=self._pace.close_seconds)
        if not self._running.done():
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=self._pace.close_seconds)

    async def _run(self) -> None:
        wait = self._pace.first_wait_seconds
        while not self._closing:
            began = time.monotonic()
            try:
                await self._stay_connected()
            except Exception as error:  # Transports raise any kind of error, also groups.
                log.warning("MCP server %s is away: %s", self.server.name, reason_of(error))
            finally:
                self._client = None
            if time.monotonic() - began > self._pace.longest_wait_seconds:
                wait = self._pace.first_wait_seconds
            await self._sleep(wait)
            wait = min(2 * wait, self._pace.longest_wait_seconds)

    async def call(self, tool: str, arguments: dict[str, Any]) -> ToolResult:
        client, name = self._client, self.server.name
        if client is None:
            return ToolResult(text=f"The server {name} is away now. Go on without {tool}.", is_error=True)
        try:
            result = await client.call_tool(tool, arguments, read_timeout_seconds=self.server.seconds)
        except Exception as error:
            self._woken.set()
            return ToolResult(text=f"The server {name} did not do {tool}: {reason_of(error)}", is_error=True)
        source = ToolSource(name=f"{name}.{tool}", url=self.server.url)
        return ToolResult(text=text_of(result), sources=[source], is_error=bool(result.is_error))

    async def _stay_connected(self) -> None:
        """Returns when this has to end. Raises where the connection is lost."""
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._pace.connect_seconds):
                client = await stack.enter_async_context(await self._new_client(stack))
                self.tools = await self._listed(client)
            self._client = client
            log.info("MCP server %s is there with %d tools", self.server.name, len(self.tools))
            while not self._closing:
                await self._sleep(self._pace.check_seconds)
                if self._closing:
                    return
                async with asyncio.timeout(self._pace.connect_seconds):
                    self.tools = await self._listed(client)

    async def _new_client(self, stack: AsyncExitStack) -> "Client":
        # The import takes seconds: only where there are servers, and outside of the event loop.
        await asyncio.to_thread(importlib.import_module, "mcp.client.streamable_http")
        import httpx2
        from mcp import Client, StdioServerParameters
        from mcp.client.streamable_http import streamable_http_client

        server = self.server
        if server.command is not None:
            command = StdioServerParameters(command=server.command, args=server.args, env=server.env)
            return Client(command, cache=None)
        timeout = httpx2.Timeout(self._pace.connect_seconds, read=server.seconds)
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=server.headers, timeout=timeout))
        return Client(streamable_http_client(server.url or "", http_client=http), cache=None)

    async def _listed(self, client: "Client") -> list[Tool]:
        found: list[ListedTool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if not cursor:
                break
        wanted = [tool for tool in found if any(fnmatchcase(tool.name, each) for each in self.server.tools)]
        tools = [self._tool(tool) for tool in wanted[:_MOST_TOOLS]]
        return [tool for tool in tools if tool is not None]

    def _tool(self, listed: "ListedTool") -> Tool | None:
        name = f"{self.server.name}.{listed.name}"
        schema = without_patterns(listed.input_schema)
        if re.fullmatch(NAME_PATTERN, name) is None or len(json.dumps(schema)) > _LONGEST_SCHEMA:
            log.warning("MCP server %s has a tool that cannot be used: %r", self.server.name, name[:100])
            return None
        return McpTool(
            name=name,
            description=" ".join((listed.description or listed.title or listed.name).split())[
                :_LONGEST_DESCRIPTION
            ],
            permission=self.server.permission,
            approval=self.server.approval,
            # The server's own limit comes first, and its error is clearer.
            limits=ToolLimits(self.server.seconds + 1.0, self.server.result_characters),
            schema=schema,
            name_at_server=listed.name,
            connection=self,
        )

    async def _sleep(self, seconds: float) -> None:
        """Ends earlier where it is woken."""
        if self._closing:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()
