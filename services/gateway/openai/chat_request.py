"""The body of a chat completion, as OpenAI's clients send it. Fields that are not here are ignored."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol

import msgspec

from services.gateway.openai.open_webui import words_of_user
from services.gateway.turns.views import Metadata
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


class NamedSchema(msgspec.Struct, frozen=True):
    name: str = ""
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class ChatRequest(msgspec.Struct, kw_only=True, frozen=True):
    ignored: ClassVar[frozenset[str]] = frozenset(
        {"user", "reasoning_effort", "verbosity", "store", "prediction", "service_tier", "function_call"}
        | {"safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
    )

    model: str
    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    session_id: Annotated[
        SessionId | None, msgspec.Meta(description="Pandora's own; the header X-Pandora-Session goes before")
    ] = None
    prompt_cache_key: str | None = None
    store: bool | None = None
    user: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Metadata | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    top_p: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    response_format: ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    web_search_options: dict[str, Any] | None = None
    functions: list[dict[str, Any]] | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


def hash_of_request(chat: ChatRequest) -> str:
    """Returns the same for the same request, however its JSON is written."""
    return hashlib.sha256(msgspec.json.encode(chat, order="sorted")).hexdigest()


class Asked(Protocol):
    """A request, with its fields by OpenAI's names."""

    @property
    def model(self) -> str: ...


_ASKS_FOR_NOTHING: Final = {
    "n": (1,),
    "best_of": (1,),
    "modalities": (["text"],),
    "response_format": (ResponseFormat("text"),),
}
"""Besides null, zero and what is empty."""


def refuse(asked: Asked, reasons: Mapping[str, str]) -> None:
    """Raises Refused for a field that asks for something and has a reason why it cannot."""
    for field, why in reasons.items():
        value = getattr(asked, field)
        if value and value not in _ASKS_FOR_NOTHING.get(field, ()):
            raise Refused(422, f"{field} is not taken by {asked.model}: {why}; leave it out", field)


# --- which conversation it is ---


def hashes_of(messages: Sequence[ChatMessage], session_id: str = "") -> list[str]:
    """Returns a hash for each beginning of a conversation; the last one is of the whole.

    Spaces make no difference, nor do messages of the setup: a client may write the time into them. Nor do
    documents that Open WebUI has put before the user's words: they are in the last message alone.
    """
    running = hashlib.sha256(session_id.encode())
    hashes: list[str] = []
    for message in messages:
        if not message.is_setup:
            words = words_of_user(message.text) if message.role == "user" else message.text
            said = (message.role, words.split(), message.images, message.tool_calls or [])
            running.update(msgspec.json.encode(said, order="sorted") + b"\n")
            hashes.append(running.hexdigest())
    return hashes


def with_answer(messages: Sequence[ChatMessage], answer: str) -> list[ChatMessage]:
    return [*messages, ChatMessage(role="assistant", content=answer)]
