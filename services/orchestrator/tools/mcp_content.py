"""Turns the schemas, results and errors of MCP servers into plain values."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_types import CallToolResult


def text_of(result: "CallToolResult") -> str:
    """All texts of a result. Pictures and other content are only named."""
    parts = [_part(block) for block in result.content]
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(parts)


def _part(block: Any) -> str:
    match block.type:
        case "text":
            return str(block.text)
        case "resource":
            text = getattr(block.resource, "text", None)
            return (
                f"[{block.resource.uri}]\n{text}" if text is not None else f"[{block.resource.uri}: not text]"
            )
        case "resource_link":
            return f"[{block.name}: {block.uri}]"
        case other:
            return f"[{other}: not shown]"


def reason_of(error: BaseException) -> str:
    """The first cause of a group; the other errors in it mostly follow from that."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    message = getattr(error, "message", None) or str(error)
    return f"{type(error).__name__}: {' '.join(str(message).split())}"[:300]
