"""The body of a chat completion, as OpenAI's clients send it. Fields that are not here are ignored."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from services.gateway.turns.content import InputImage, InputText
from services.gateway.turns.views import Metadata, NewTurn
from shared.contract.errors import Refused
from shared.contract.events import SessionId

_SETUP: Final = frozenset({"system", "developer"})


class TextPart(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImageUrl(msgspec.Struct, frozen=True):
    url: str
    """The image itself: `data:image/...;base64,...`."""


class ImagePart(msgspec.Struct, frozen=True, tag_field="type", tag="image_url"):
    image_url: ImageUrl


class RefusalPart(msgspec.Struct, frozen=True, tag_field="type", tag="refusal"):
    """What a model said instead of an answer."""

    refusal: str


class ChatMessage(msgspec.Struct, kw_only=True, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart | ImagePart | RefusalPart] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> list[str]:
        if self.content is None or isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, ImagePart)]

    @property
    def is_setup(self) -> bool:
        """It is not said in the conversation: it tells the model how to answer."""
        return self.role in _SETUP


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    type: str


class ChatRequest(msgspec.Struct, kw_only=True, frozen=True):
    model: str
    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    session_id: Annotated[
        SessionId | None, msgspec.Meta(description="Pandora's own; the header X-Pandora-Session goes before")
    ] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Metadata | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    response_format: ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    functions: list[dict[str, Any]] | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


def hash_of_request(chat: ChatRequest) -> str:
    """Returns the same for the same request, however its JSON is written."""
    return hashlib.sha256(msgspec.json.encode(chat, order="sorted")).hexdigest()


def check_for_turn(chat: ChatRequest) -> None:
    """Raises Refused for what a turn would answer as if it were not there."""
    for field, why in _refused_by_turns(chat):
        raise Refused(422, f"{field} is not taken by {chat.model}: {why}; leave it out", field)
    if (role := chat.messages[-1].role) != "user":
        raise Refused(
            422,
            f"the last message is of role {role!r}; {chat.model} answers what a user says last",
            "messages",
        )


def new_turn(chat: ChatRequest, recipe: str, session_id: str) -> NewTurn:
    """The turn of the last message."""
    return NewTurn(
        input=_input_of(chat.messages[-1]),
        session_id=session_id,
        recipe=recipe,
        metadata=chat.metadata or {},
    )


def _input_of(message: ChatMessage) -> str | list[InputText | InputImage]:
    if not message.images:
        return message.text
    texts = [InputText(text=message.text)] if message.text else []
    return [*texts, *(InputImage(image_url=url) for url in message.images)]


def _refused_by_turns(chat: ChatRequest) -> Iterator[tuple[str, str]]:
    if chat.n not in {None, 1}:
        yield "n", "a turn has one answer"
    if chat.response_format is not None and chat.response_format.type != "text":
        yield "response_format", "a turn answers in words"
    if set(chat.modalities or ()) - {"text"}:
        yield "modalities", "a turn answers in words"
    for field, why in _REFUSED.items():
        if getattr(chat, field):
            yield field, why


_REFUSED: Mapping[str, str] = {
    "audio": "a turn answers in words",
    "tools": "its recipe chooses its tools",
    "functions": "its recipe chooses its tools",
    "stop": "a turn is answered to its end",
    "logprobs": "a turn knows no probabilities",
    "top_logprobs": "a turn knows no probabilities",
    "logit_bias": "a turn knows no tokens",
}


# --- which conversation it is ---


def hashes_of(messages: Sequence[ChatMessage], session_id: str = "") -> list[str]:
    """Returns a hash for each beginning of a conversation; the last one is of the whole.

    Spaces make no difference, nor do messages of the setup: a client may write the time into them.
    """
    running = hashlib.sha256(session_id.encode())
    hashes: list[str] = []
    for message in messages:
        if not message.is_setup:
            said = (message.role, message.text.split(), message.images, message.tool_calls or [])
            running.update(msgspec.json.encode(said, order="sorted") + b"\n")
            hashes.append(running.hexdigest())
    return hashes


def with_answer(messages: Sequence[ChatMessage], answer: str) -> list[ChatMessage]:
    return [*messages, ChatMessage(role="assistant", content=answer)]
