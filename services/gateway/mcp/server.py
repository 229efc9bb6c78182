"""The server of the Model Context Protocol, by the official package.

Importing this module takes seconds and 25 MB, so only `routes.py` imports it, with the first request.
"""

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar, cast

import mcp_types as types
import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError

from services.gateway.http.callers import Caller
from services.gateway.mcp.documents import TEMPLATE, TurnDocuments
from services.gateway.mcp.tools import Tool, schema_of, text_of
from shared.contract.abilities import Ability
from shared.contract.errors import Refused, Transient
from shared.process import metrics
from shared.process.room import Disk
from shared.process.version import VERSION

log = logging.getLogger(__name__)
R = TypeVar("R")
_Context = ServerRequestContext[Any, Any]
_INSTRUCTIONS = (
    "Pandora is an assistant with a lasting memory of this user. `ask` has it answer from that memory; "
    "`search` and `recall` read the memory, `remember` adds to it. Resources are the documents of turns."
)
_CHECKED_BEFORE = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The gateway looks at Host and Origin of each request (services/gateway/http/browsers.py)."""


class McpServer:
    """Answers each request by itself, with what its caller may. Without sessions, any gateway can answer."""

    def __init__(self, tools: list[Tool[Any]], documents: TurnDocuments, disk: Disk) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._listed = {
            tool.name: types.Tool(
                name=tool.name,
                description=tool.description,
                input_schema=schema_of(tool.arguments),
                annotations=types.ToolAnnotations(
                    read_only_hint=tool.ability in (Ability.MEMORY_READ, Ability.TURNS_READ)
                ),
            )
            for tool in tools
        }
        self._documents = documents
        self._disk = disk
        self.server: Server[Any] = Server(
            "pandora",
            version=VERSION,
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
        )

    async def _list_tools(self, context: _Context, _: Any) -> types.ListToolsResult:
        may = _caller(context).abilities
        return types.ListToolsResult(
            tools=[self._listed[name] for name, tool in self._tools.items() if tool.ability in may]
        )

    async def _call_tool(
        self, context: _Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """What goes wrong inside a tool is its result, so that a model can read it."""
        caller, tool = _caller(context), self._tools.get(params.name)
        if tool is None or tool.ability not in caller.abilities:
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name!r} for this key")
        try:
            if tool.needs_room:
                self._disk.demand()
            result = await tool.call(params.arguments or {}, caller, _Progress(context))
        except (Refused, Transient, msgspec.ValidationError) as error:
            return types.CallToolResult(content=[_text(_said(error))], is_error=True)
        except Exception as error:
            metrics.errors.labels("mcp").inc()
            log.exception("the tool %s failed", tool.name, exc_info=error)
            said = "The gateway failed; its log says why."
            return types.CallToolResult(content=[_text(said)], is_error=True)
        return types.CallToolResult(
            content=[_text(text_of(result))], structured_content=msgspec.to_builtins(result)
        )

    # --- the documents of turns ---

    async def _list_resources(
        self, context: _Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        user = _reader(context)
        page = await _or_refused(self._documents.page(user, params.cursor if params else None))
        return types.ListResourcesResult(
            resources=[types.Resource(uri=one.uri, name=one.name, title=one.title) for one in page.documents],
            next_cursor=page.next_cursor,
        )

    async def _list_templates(self, context: _Context, _: Any) -> types.ListResourceTemplatesResult:
        _reader(context)
        template = types.ResourceTemplate(
            uri_template=TEMPLATE, name="document", description="One document of a turn."
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def _read_resource(
        self, context: _Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        document = await _or_refused(self._documents.read(str(params.uri), _reader(context)))
        contents = types.TextResourceContents(
            uri=params.uri, mime_type=document.media_type, text=document.text
        )
        return types.ReadResourceResult(contents=[contents])


def endpoint(served: McpServer) -> ASGIApp:
    """Returns what answers a POST by streamable HTTP."""
    logging.getLogger("mcp.server").setLevel(logging.WARNING)  # It tells of each manager that starts.

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # One for each request: it starts and ends in the task of its request, and has nothing to remember.
        manager = StreamableHTTPSessionManager(
            served.server, stateless=True, security_settings=_CHECKED_BEFORE
        )
        async with manager.run():
            await manager.handle_request(cast(Any, scope), cast(Any, receive), cast(Any, send))

    return answer


def _caller(context: _Context) -> Caller:
    return cast(Caller, cast(Any, context.request).scope["user"])


def _reader(context: _Context) -> str:
    """Returns the caller's name. Raises MCPError where the key may not read turns."""
    caller = _caller(context)
    if Ability.TURNS_READ not in caller.abilities:
        raise MCPError(types.INVALID_PARAMS, "this key may not read turns")
    return caller.name


async def _or_refused(answer: Awaitable[R]) -> R:
    try:
        return await answer
    except Refused as error:
        raise MCPError(types.INVALID_PARAMS, error.detail) from error
    except Transient as error:
        raise MCPError(types.INTERNAL_ERROR, _said(error)) from error


def _said(error: Exception) -> str:
    return f"{error}. Try again in a moment." if isinstance(error, Transient) else str(error)


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


class _Progress:
    """Tells the client of a call what happens meanwhile, if it asked for that."""

    def __init__(self, context: _Context) -> None:
        self._session = context.session
        self._count = 0

    async def __call__(self, message: str) -> None:
        self._count += 1
        await self._session.report_progress(self._count, message=message)
