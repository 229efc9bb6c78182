"""The generation that answers a chat with a model of the engine."""

from typing import Any, Final

from services.gateway.openai.chat_request import ChatMessage, ChatRequest, refuse
from shared.contract.errors import Refused
from shared.contract.requests import Generate, Message

_NOT_PASSED_ON: Final = "it is not passed on to engines"
_REFUSED: Final = {
    "n": "an engine gives one answer",
    "modalities": "an engine answers in words",
    "audio": "an engine answers in words",
    **dict.fromkeys(("stop", "top_p", "seed", "frequency_penalty", "presence_penalty"), _NOT_PASSED_ON),
    **dict.fromkeys(("tools", "functions", "logprobs", "top_logprobs", "logit_bias"), _NOT_PASSED_ON),
}


def generation_of(chat: ChatRequest, request_id: str) -> Generate:
    """Raises Refused for what the engine would answer as if it were not there."""
    refuse(chat, _REFUSED)
    limit = chat.max_tokens if chat.max_completion_tokens is None else chat.max_completion_tokens
    return Generate(
        request_id=request_id,
        messages=[_message_of(message) for message in chat.messages],
        model=chat.model,
        temperature=chat.temperature,
        max_tokens=limit,
        schema=_schema_of(chat),
    )


def _message_of(message: ChatMessage) -> Message:
    if message.role == "tool" or message.tool_calls:
        raise Refused(422, f"tool calls and their results are not taken: {_NOT_PASSED_ON}", "messages")
    role = "system" if message.role == "developer" else message.role
    return Message(role=role, content=message.text, images=message.images)


def _schema_of(chat: ChatRequest) -> dict[str, Any] | None:
    form = chat.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return {"type": "object"}
    if form.json_schema is None:
        raise Refused(422, "response_format has the type json_schema, and no json_schema", "response_format")
    return form.json_schema.schema or {}
