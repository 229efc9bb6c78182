"""Builds the bodies of requests for OpenAI-compatible servers: of a chat, and of a text to go on with."""

import re
from typing import Any, Literal

import msgspec

from shared.contract.requests import Generate, Message, NamedTool, Tool, ToolCall

Guiding = Literal["json_schema", "json_object"]
"""json_schema: the server enforces the schema. json_object: it enforces JSON, and the prompt has the
schema."""
_SAMPLING = (
    *("temperature", "max_tokens", "top_p", "seed", "frequency_penalty", "presence_penalty"),
    "parallel_tool_calls",
)
"""Fields that servers know by the same names."""
_ANY_OBJECT = {"type": "object"}
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def chat_body(request: Generate, model: str, guiding: Guiding) -> dict[str, Any]:
    """Fields that the request leaves open are not sent: the server's defaults apply."""
    body = _asked(request, model)
    body["messages"] = [_as_sent(message) for message in request.messages]
    if request.thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": request.thinking}
    if request.tools:
        body |= _offered(request)
    if request.schema is not None:
        body |= _guided(request, request.schema, body["messages"], guiding)
    return body


def text_body(request: Generate, model: str) -> dict[str, Any]:
    """Of a text to go on with."""
    return _asked(request, model) | {"prompt": request.prompt}


def _asked(request: Generate, model: str) -> dict[str, Any]:
    asked = {name: value for name in _SAMPLING if (value := getattr(request, name)) is not None}
    if request.stop:
        asked["stop"] = request.stop
    return {"model": model, "stream": True, "stream_options": {"include_usage": True}, **asked}


def refuses_guiding(status: int, reason: str) -> bool:
    """Whether the server refused only the `response_format`."""
    return status in {400, 422} and ("response_format" in reason or "json_schema" in reason)


def _as_sent(message: Message) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        images = [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
        sent["content"] = [{"type": "text", "text": message.content}, *images]
    if message.tool_calls:
        sent |= {
            "content": message.content or None,
            "tool_calls": [_call_as_sent(call) for call in message.tool_calls],
        }
    return sent | {"tool_call_id": message.tool_call_id} if message.tool_call_id else sent


# --- tools ---


def _offered(request: Generate) -> dict[str, Any]:
    offered: dict[str, Any] = {"tools": [_tool_as_sent(tool) for tool in request.tools]}
    match request.tool_choice:
        case None:
            return offered
        case NamedTool(name=name):
            return offered | {"tool_choice": {"type": "function", "function": {"name": name}}}
        case choice:
            return offered | {"tool_choice": choice}


def _tool_as_sent(tool: Tool) -> dict[str, Any]:
    asked = {"description": tool.description or None, "parameters": tool.parameters, "strict": tool.strict}
    told = {name: value for name, value in asked.items() if value is not None}
    return {"type": "function", "function": {"name": tool.name, **told}}


def _call_as_sent(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


# --- answers that follow a schema ---


def _guided(
    request: Generate, schema: dict[str, Any], messages: list[dict[str, Any]], guiding: Guiding
) -> dict[str, Any]:
    if guiding == "json_object":
        return {"response_format": {"type": "json_object"}, "messages": _told(schema, messages)}
    if schema == _ANY_OBJECT:  # Servers have a name for it, and hosted ones do not take it as a schema.
        return {"response_format": {"type": "json_object"}}
    name = _NO_NAME.sub("-", str(schema.get("title", "")))[:64].strip("-") or "answer"
    named = {"name": name, "schema": schema, "strict": request.schema_strict}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _told(schema: dict[str, Any], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds the schema to the end of the system message; makes a system message where there is none."""
    words = (
        "Answer with one JSON object that follows this JSON Schema, and with nothing else:\n"
        + msgspec.json.encode(schema).decode()
    )
    if messages and messages[0]["role"] == "system" and isinstance(messages[0]["content"], str):
        first = messages[0] | {"content": f"{messages[0]['content']}\n\n{words}"}
        return [first, *messages[1:]]
    return [{"role": "system", "content": words}, *messages]
