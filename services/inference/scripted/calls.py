"""The calls of tools that a script makes."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from uuid_utils import uuid7

from shared.contract.events import encode
from shared.contract.requests import Generate, NamedTool, ToolCall


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of a rule: the tool, and what it is called with."""

    name: str
    arguments: dict[str, Any] = {}


def allows(request: Generate, calls: Sequence[Call]) -> bool:
    """Whether an answer to the request may have exactly these calls."""
    names = {call.name for call in calls}
    match request.tool_choice:
        case "none" if calls:
            return False
        case "required" if not calls:
            return False
        case NamedTool(name=name) if names != {name}:
            return False
    is_one = request.parallel_tool_calls is not False or len(calls) <= 1
    return is_one and names <= {tool.name for tool in request.tools}


def made(calls: Sequence[Mapping[str, Any]]) -> list[ToolCall]:
    """The calls of a rule, filled in. Each has a new id."""
    return [
        ToolCall(
            id=f"call_{uuid7()}", name=call["name"], arguments=encode(call.get("arguments", {})).decode()
        )
        for call in calls
    ]
