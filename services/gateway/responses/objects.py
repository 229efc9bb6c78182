"""The objects of OpenAI's Responses API that are answered. Required fields have no default."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from services.gateway.responses.ids import item_id, response_id
from services.gateway.responses.request import ECHO, Named, Reasoning, ResponseRequest, Text
from shared.contract.derivation import derive
from shared.contract.events import UNREADABLE, Usage

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(msgspec.Struct, kw_only=True, frozen=True):
    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[dict[str, Any]] = []
    logprobs: list[dict[str, Any]] = []


class OutputMessage(msgspec.Struct, kw_only=True, frozen=True, tag_field="role", tag="assistant"):
    id: str
    type: Literal["message"] = "message"
    status: ItemStatus
    content: list[OutputText]


class InputText(msgspec.Struct, kw_only=True, frozen=True, tag_field="type", tag="input_text"):
    text: str


class InputImage(msgspec.Struct, kw_only=True, frozen=True, tag_field="type", tag="input_image"):
    file_id: str
    detail: Literal["auto"] = "auto"


class InputMessage(msgspec.Struct, kw_only=True, frozen=True, tag_field="role", tag="user"):
    id: str
    type: Literal["message"] = "message"
    status: ItemStatus = "completed"
    content: list[InputText | InputImage]


class CachedTokens(msgspec.Struct, kw_only=True, frozen=True):
    cached_tokens: int
    cache_write_tokens: int = 0


class ReasoningTokens(msgspec.Struct, kw_only=True, frozen=True):
    reasoning_tokens: int = 0


class ResponseUsage(msgspec.Struct, kw_only=True, frozen=True):
    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens = ReasoningTokens()
    total_tokens: int


class ResponseError(msgspec.Struct, kw_only=True, frozen=True):
    code: str
    message: str


class IncompleteDetails(msgspec.Struct, kw_only=True, frozen=True):
    reason: Literal["max_output_tokens"]


class Echo(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a response says of its request. It is kept with the turn; the defaults are OpenAI's."""

    model: str = ""
    background: bool = False
    conversation: Named | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    reasoning: Reasoning = Reasoning()
    safety_identifier: str | None = None
    service_tier: str = "default"
    store: bool = True
    temperature: float = 1.0
    text: Text = Text()
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = []
    top_logprobs: int = 0
    top_p: float = 1.0
    truncation: str = "disabled"
    user: str | None = None
    is_held: bool = False
    """No part of the answer is sent before the turn is saved: it may be revised. Not shown."""


class Response(msgspec.Struct, kw_only=True, frozen=True):
    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status
    completed_at: int | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    output: list[OutputMessage]
    usage: ResponseUsage | None = None
    metadata: dict[str, str]
    background: bool
    conversation: Named | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: Reasoning
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float
    text: Text
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: str
    user: str | None


class Deleted(msgspec.Struct, kw_only=True, frozen=True):
    id: str
    object: Literal["response", "conversation.deleted"]
    deleted: Literal[True] = True


class TokenCount(msgspec.Struct, kw_only=True, frozen=True):
    object: Literal["response.input_tokens"] = "response.input_tokens"
    input_tokens: int


def question(turn_id: str, text: str, file_ids: Sequence[str]) -> InputMessage:
    images = [InputImage(file_id=file_id) for file_id in file_ids]
    return InputMessage(id=item_id(turn_id, "user"), content=[InputText(text=text), *images])


def answer(turn_id: str, text: str, *, is_whole: bool) -> OutputMessage:
    return OutputMessage(
        id=item_id(turn_id, "assistant"),
        status="completed" if is_whole else "incomplete",
        content=[OutputText(text=text)],
    )


class Head(msgspec.Struct, kw_only=True, frozen=True):
    """What a response says from its beginning to its end."""

    turn_id: str
    created_at: int
    echo: Echo
    metadata: dict[str, str]

    def response(self, status: Status, output: list[OutputMessage], **more: Any) -> Response:
        """`more`: what else is known of it by now."""
        return derive(
            Response, self, self.echo, id=response_id(self.turn_id), status=status, output=output, **more
        )

    @property
    def item_id(self) -> str:
        """The id of the message that answers."""
        return item_id(self.turn_id, "assistant")


def echo_of(request: ResponseRequest, *, is_stored: bool = True, is_held: bool = False) -> Echo:
    """A field that is null has OpenAI's default."""
    said = {name: getattr(request, name, None) for name in Echo.__struct_fields__}
    said |= {"store": is_stored, "is_held": is_held}
    if (conversation := request.conversation_named) is not None:
        said["conversation"] = Named(conversation)
    return Echo(**{name: value for name, value in said.items() if value is not None})


def with_echo(metadata: Mapping[str, str] | None, echo: Echo) -> dict[str, str]:
    """Returns the metadata of the turn."""
    return {**(metadata or {}), ECHO: msgspec.json.encode(echo).decode()}


def without_echo(metadata: Mapping[str, str]) -> tuple[dict[str, str], Echo]:
    """Returns the client's own metadata, and what the turn says of its request.

    A turn that was handed in otherwise says nothing, nor does one whose client wrote something else there.
    """
    own = {key: value for key, value in metadata.items() if key != ECHO}
    try:
        return own, msgspec.json.decode(metadata.get(ECHO, "{}"), type=Echo)
    except UNREADABLE:
        return own, Echo()


def usage_of(usage: Usage) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=usage.input_tokens,
        input_tokens_details=CachedTokens(cached_tokens=usage.cached_tokens),
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
    )
