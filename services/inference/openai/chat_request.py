"""Builds the body of a chat completion request for OpenAI-compatible servers."""

import re
from typing import Any, Literal

import msgspec

from shared.contract.requests import Generate, Message

Guiding = Literal["json_schema", "json_object"]
"""json_schema: the server enforces the schema. json_object: it enforces JSON, and the prompt has the
schema."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def chat_body(request: Generate, model: str, guiding: Guiding) -> dict[str, Any]:
    """Fields that the request leaves open are not sent: the server's defaults apply."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_as_sent(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    asked = {"temperature": request.temperature, "max_tokens": request.max_tokens}
    body |= {name: value for name, value in asked.items() if value is not None}
    if request.thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": request.thinking}
    if request.schema is not None:
        body |= _guided(request.schema, body["messages"], guiding)
    return body


def refuses_guiding(status: int, reason: str) -> bool:
    """Whether the server refused only the `response_format`."""
    return status in {400, 422} and ("response_format" in reason or "json_schema" in reason)


def _as_sent(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    images = [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
    return {"role": message.role, "content": [{"type": "text", "text": message.content}, *images]}


def _guided(schema: dict[str, Any], messages: list[dict[str, Any]], guiding: Guiding) -> dict[str, Any]:
    if guiding == "json_schema":
        name = _NO_NAME.sub("-", str(schema.get("title", "")))[:64].strip("-") or "answer"
        strict = {"name": name, "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": strict}}
    return {"response_format": {"type": "json_object"}, "messages": _told(schema, messages)}


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
