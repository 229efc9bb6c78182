"""The generation that answers a chat with a model of the engine."""

from typing import Any, Final

from services.gateway.openai.chat_request import ChatMessage, ChatRequest, NamedSchema, refuse
from services.gateway.openai.tools import calls_of, choice_of, tools_of
from shared.contract.errors import Refused
from shared.contract.requests import Generate, Message

_NO_PROBABILITIES: Final = "engines are not asked for probabilities"
REFUSED: Final = {
    "n": "an engine gives one answer",
    "logprobs": _NO_PROBABILITIES,
    "logit_bias": "engines are told of no single tokens",
}
"""By each way in to a model of the engine."""
_REFUSED: Final = {
    **REFUSED,
    "modalities": "an engine answers in words",
    "audio": "an engine answers in words",
    "top_logprobs": _NO_PROBABILITIES,
    "functions": "`tools` has taken its place",
    "web_search_options": "an engine searches nothing",
}


def generation_of(chat: ChatRequest, model: str | None, request_id: str) -> Generate:
    """Raises Refused for what the engine would answer as if it were not there."""
    refuse(chat, _REFUSED)
    tools = tools_of(chat)
    return Generate(
        request_id=request_id,
        messages=[_message_of(message) for message in chat.messages],
        model=model,
        may_be_empty=True,  # As with OpenAI's own servers: nothing follows what it has ended.
        temperature=chat.temperature,
        max_tokens=chat.max_tokens if chat.max_completion_tokens is None else chat.max_completion_tokens,
        stop=stops_of(chat.stop),
        top_p=chat.top_p,
        seed=chat.seed,
        frequency_penalty=chat.frequency_penalty,
        presence_penalty=chat.presence_penalty,
        schema=_schema_of(chat),
        schema_strict=not _is_hint(chat),
        tools=tools,
        tool_choice=choice_of(chat),
        parallel_tool_calls=chat.parallel_tool_calls if tools else None,
    )


def stops_of(stop: str | list[str] | None) -> list[str]:
    return [stop] if isinstance(stop, str) else stop or []


def _message_of(message: ChatMessage) -> Message:
    if message.role == "tool" and not message.tool_call_id:
        raise Refused(422, "a message of role tool has no tool_call_id; name the call there", "messages")
    return Message(
        role="system" if message.role == "developer" else message.role,
        content=message.text,
        images=message.images,
        tool_calls=calls_of(message),
        tool_call_id=message.tool_call_id or "",
    )


def _is_hint(chat: ChatRequest) -> bool:
    """Unless it says so, a schema is meant strictly: no answer shall differ from what was asked for."""
    form = chat.response_format
    return form is not None and form.json_schema is not None and form.json_schema.strict is False


def _schema_of(chat: ChatRequest) -> dict[str, Any] | None:
    form = chat.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return {"type": "object"}
    if form.json_schema is None:
        raise Refused(422, "response_format has the type json_schema, and no json_schema", "response_format")
    return _titled(form.json_schema)


def _titled(named: NamedSchema) -> dict[str, Any]:
    """Engines read the name of a schema, and what it is for, in the schema itself."""
    schema = {"type": "object"} if named.schema is None else named.schema
    told = {"title": named.name, "description": named.description}
    return {name: text for name, text in told.items() if text} | schema
