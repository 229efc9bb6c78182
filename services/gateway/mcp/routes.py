"""The Model Context Protocol by streamable HTTP."""

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from litestar import post
from litestar.status_codes import HTTP_200_OK
from litestar.types import ASGIApp

from services.gateway.mcp.documents import TurnDocuments
from services.gateway.mcp.tools import Tool
from shared.contract.abilities import Ability
from shared.process.room import Disk

if TYPE_CHECKING:
    from services.gateway.mcp.server import McpServer


class McpEndpoint:
    """What answers, loaded with the first request."""

    def __init__(self, tools: list[Tool[Any]], documents: TurnDocuments, disk: Disk) -> None:
        self._tools = tools
        self._documents = documents
        self._disk = disk
        self._answer: ASGIApp | None = None

    async def answer(self) -> ASGIApp:
        if self._answer is None:
            # The import takes seconds: outside of the event loop, and only where the protocol is used.
            server = await asyncio.to_thread(importlib.import_module, "services.gateway.mcp.server")
            served: McpServer = server.McpServer(self._tools, self._documents, self._disk)
            self._answer = server.endpoint(served)
        return self._answer


@post("/mcp", ability=Ability.MCP_CONNECT, status_code=HTTP_200_OK, include_in_schema=False)
async def post_mcp(mcp: McpEndpoint) -> ASGIApp:
    """A client's stream of its own (GET) is not offered: nothing is said but in answers."""
    return await mcp.answer()
