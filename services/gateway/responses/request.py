"""The body of POST /v1/responses, as OpenAI's clients send it. Fields that are not here are ignored."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from services.gateway.openai.chat_request import (
    ChatMessage,
    ImagePart,
    ImageUrl,
    NamedSchema,
    RefusalPart,
    ResponseFormat,
    TextPart,
)
from services.gateway.turns.content import Content, InputImage, InputText
from shared.contract.errors import Refused
from shared.contract.events import FileId, SessionId

ECHO: Final = "pandora.response"
"""The key in a turn's metadata under which the request of its response is kept."""
_UNPROMPTED: Final = "there are no prompt templates here; send the words themselves"
_ENCRYPTED: Final = "reasoning.encrypted_content"
_PROBABILITIES: Final = "message.output_text.logprobs"
Metadata = Annotated[dict[str, str], msgspec.Meta(max_length=16, description="up to 16 strings of one's own")]


class TextIn(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class TextOut(msgspec.Struct, frozen=True, tag_field="type", tag="output_text"):
    """What a model said before."""

    text: str


class RefusalOut(msgspec.Struct, frozen=True, tag_field="type", tag="refusal"):
    """What a model said instead of an answer."""

    refusal: str


class ImageIn(msgspec.Struct, frozen=True, tag_field="type", tag="input_image"):
    """One of the two."""

    image_url: str | None = None
    """The image itself: `data:image/...;base64,...`."""
    file_id: FileId | None = None


Role = Literal["user", "assistant", "system", "developer"]
Parts = list[TextIn | TextOut | ImageIn | RefusalOut]


class Item(msgspec.Struct, kw_only=True, frozen=True):
    """A message. Items of other types are refused by name."""

    type: str = "message"
    role: Role = "user"
    content: str | Parts = ""

    @property
    def parts(self) -> Parts:
        return [TextIn(self.content)] if isinstance(self.content, str) else self.content


class Named(msgspec.Struct, frozen=True):
    id: str


class Format(msgspec.Struct, kw_only=True, frozen=True):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    strict: bool | UnsetType | None = UNSET


class Text(msgspec.Struct, kw_only=True, frozen=True):
    format: Format = Format()
    verbosity: str | None = None


class Reasoning(msgspec.Struct, kw_only=True, frozen=True):
    effort: str | None = None
    summary: str | None = None


class Asked(msgspec.Struct, kw_only=True, frozen=True):
    """What is said, and to which conversation."""

    model: str
    input: str | Annotated[list[Item], msgspec.Meta(min_length=1)]
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | Named | None = None

    @property
    def conversation_named(self) -> str | None:
        return self.conversation.id if isinstance(self.conversation, Named) else self.conversation

    @property
    def is_placed(self) -> bool:
        """The request says which conversation it belongs to."""
        return self.conversation is not None or self.previous_response_id is not None


class ResponseRequest(Asked, kw_only=True, frozen=True):
    session_id: Annotated[
        SessionId | None, msgspec.Meta(description="Pandora's own; the header X-Pandora-Session goes before")
    ] = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    metadata: Metadata | None = None
    text: Text | None = None
    include: list[str] | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_tool_calls: int | None = None
    parallel_tool_calls: bool | None = None
    prompt: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    reasoning: Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    temperature: float | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: Literal["auto", "disabled"] | None = None
    moderation: dict[str, Any] | None = None
    user: str | None = None


def check(asked: Asked) -> None:
    """Raises Refused for what no model here can do, and for what cannot be meant."""
    if asked.conversation is not None and asked.previous_response_id is not None:
        raise Refused(
            422,
            "conversation and previous_response_id are both given; a response has its conversation by one of "
            "them",
            "previous_response_id",
        )
    if isinstance(asked.input, list):
        for number, item in enumerate(asked.input):
            if item.type != "message":
                raise Refused(
                    422,
                    f"input[{number}] is of type {item.type!r}; messages are taken, and no tools are called",
                    "input",
                )


def check_fields(request: ResponseRequest) -> None:
    """As `check`, of the whole request."""
    check(request)
    included = request.include or []
    for asked, field, why in (
        (_ENCRYPTED in included, "include", "Encrypted content is not supported with this model."),
        (_PROBABILITIES in included, "include", f"{_PROBABILITIES}: no probabilities are known"),
        (request.top_logprobs, "top_logprobs", "no probabilities are known"),
        (request.tools, "tools", "no tools of a client's own are called"),
        (request.prompt, "prompt", _UNPROMPTED),
        (request.moderation, "moderation", "nothing is moderated here"),
        (ECHO in (request.metadata or {}), "metadata", f"the key {ECHO} is Pandora's own"),
    ):
        if asked:
            raise Refused(422, f"{field} is not taken by {request.model}: {why}", field)


def conversation_in(asked: Asked) -> list[ChatMessage]:
    """Returns what was said, without messages of the setup. What one says in a row is one message."""
    return [ChatMessage(role=role, content=_chat_parts(parts)) for role, parts in _said(asked)]


def all_messages(asked: Asked) -> list[ChatMessage]:
    """Returns the instructions and all messages in their order, for a model of the engine."""
    setup = [ChatMessage(role="developer", content=asked.instructions)] if asked.instructions else []
    return [*setup, *(ChatMessage(role=item.role, content=_chat_parts(item.parts)) for item in _items(asked))]


def content_of(asked: Asked) -> Content:
    """Returns what the user says last. Raises Refused."""
    role, parts = (_said(asked) or [("developer", [])])[-1]
    if role != "user":
        raise Refused(
            422,
            f"the last message is of role {role!r}; {asked.model} answers what a user says last",
            "input",
        )
    images = [part for part in parts if isinstance(part, ImageIn)]
    words = "\n".join(part.text for part in parts if isinstance(part, TextIn | TextOut))
    if not images:
        return words
    texts = [InputText(text=words)] if words else []
    return [*texts, *(InputImage(image_url=image.image_url, file_id=image.file_id) for image in images)]


def response_format(text: Text | None) -> ResponseFormat | None:
    """Returns `text.format` as a chat has it."""
    if text is None or text.format.type == "text":
        return None
    said = {name: getattr(text.format, name) for name in NamedSchema.__struct_fields__}
    named = NamedSchema(**{name: value for name, value in said.items() if value not in (UNSET, None)})
    return ResponseFormat(text.format.type, named)


def _items(asked: Asked) -> Sequence[Item]:
    return [Item(content=asked.input)] if isinstance(asked.input, str) else asked.input


def _said(asked: Asked) -> list[tuple[Role, Parts]]:
    said: list[tuple[Role, Parts]] = []
    for item in _items(asked):
        if item.role in ("system", "developer"):
            continue
        if said and said[-1][0] == item.role:
            said[-1] = (item.role, [*said[-1][1], *item.parts])
        else:
            said.append((item.role, item.parts))
    return said


def _chat_parts(parts: Parts) -> list[TextPart | ImagePart | RefusalPart]:
    return [_chat_part(part) for part in parts]


def _chat_part(part: TextIn | TextOut | ImageIn | RefusalOut) -> TextPart | ImagePart | RefusalPart:
    match part:
        case TextIn(text=text) | TextOut(text=text):
            return TextPart(text)
        case RefusalOut(refusal=refusal):
            return RefusalPart(refusal)
        case ImageIn(image_url=url, file_id=file_id):
            return ImagePart(ImageUrl(url or f"file:{file_id}"))
