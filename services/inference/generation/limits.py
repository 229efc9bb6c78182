"""What no engine could answer, and is refused before one is asked."""

import re
from typing import Final

from shared.contract.errors import Refused
from shared.contract.requests import Generate, NamedTool

_SUBJECT: Final = re.compile(r"[A-Za-z0-9_][^\s*>]*")
"""No wildcards, and none of the server's own subjects: those begin with a dollar sign."""
_IMAGE_PREFIX: Final = "data:image/"
"""No other address: a server that fetched one could be sent anywhere by a user."""
_RANGES: Final = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "seed": (-(2**63), 2**63 - 1),
}
_MOST_STOPS: Final = 16


def check(request: Generate) -> None:
    """Raises Refused (422) that names the field."""
    if request.stream_to is not None and not _SUBJECT.fullmatch(request.stream_to):
        raise Refused(422, "stream_to is no subject that text can be sent to", "stream_to")
    if request.max_tokens is not None and request.max_tokens < 1:
        raise Refused(422, f"max_tokens is {request.max_tokens}; it must be at least 1", "max_tokens")
    for field, (least, most) in _RANGES.items():
        value = getattr(request, field)
        if value is not None and not least <= value <= most:
            raise Refused(422, f"{field} is {value}; it must be from {least} to {most}", field)
    if len(request.stop) > _MOST_STOPS or "" in request.stop:
        raise Refused(422, f"stop takes up to {_MOST_STOPS} texts, and none of them empty", "stop")
    if any(not image.startswith(_IMAGE_PREFIX) for message in request.messages for image in message.images):
        raise Refused(422, f"images go as {_IMAGE_PREFIX}... URLs, with their bytes in them", "messages")
    _check_tools(request)


def _check_tools(request: Generate) -> None:
    offered = {tool.name for tool in request.tools}
    match request.tool_choice:
        case NamedTool(name=name) if name not in offered:
            raise Refused(422, f"tool_choice names {name!r}, which is none of the tools", "tool_choice")
        case "required" if not offered:
            raise Refused(422, "tool_choice is required, and there are no tools", "tool_choice")
