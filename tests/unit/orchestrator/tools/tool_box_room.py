"""A toolbox with tools of a few lines."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from services.orchestrator.tools.tool import (
    Caller,
    Permission,
    Tool,
    ToolLimits,
    ToolResult,
    make_tool,
)
from services.orchestrator.tools.toolbox import Toolbox

CALLER = Caller(user="mira", session_id="s1", turn_id="t1", turn_number=1)
LIMITS = ToolLimits(seconds=0.2, result_characters=100)


class Echoed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=50, description="what to say")]
    times: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1


async def echo(arguments: Echoed, caller: Caller) -> str:
    return f"{caller.user}: {arguments.text * arguments.times}"


def tool_that(
    does: Callable[[], Awaitable[Any]], *, name: str = "test.tool", permission: Permission = "read"
) -> Tool:
    async def function(arguments: Echoed, caller: Caller) -> Any:
        return await does()

    return make_tool(name, "A test.", permission, Echoed, function, limits=LIMITS)


async def ran(does: Callable[[], Awaitable[Any]]) -> ToolResult:
    return await Toolbox([tool_that(does)]).run("test.tool", {"text": ""}, CALLER)


ECHO = make_tool("test.echo", "Says it again.", "read", Echoed, echo)
