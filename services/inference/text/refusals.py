"""What several engines refuse, by the name of its field."""

from shared.contract.errors import Refused
from shared.contract.requests import Generate


def refuse_prompt(request: Generate, why: str) -> None:
    """Raises Refused for a text that is to go on without a chat."""
    if request.prompt is not None:
        raise Refused(422, why, "prompt")


def refuse_tools(request: Generate, why: str) -> None:
    """Raises Refused where tools are offered, or were called before."""
    if request.tools:
        raise Refused(422, why, "tools")
    if any(message.role == "tool" or message.tool_calls for message in request.messages):
        raise Refused(422, f"the chat has calls of tools: {why}", "messages")
