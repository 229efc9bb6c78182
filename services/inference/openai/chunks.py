"""One JSON text of an answer: a chunk of a stream, or the whole answer of a server that does not stream.

Reads only the fields that are used here, and takes each of them as it comes, since servers differ.
"""

from typing import Any

import msgspec

from services.inference.openai.server_errors import ServerError, error_in
from shared.contract.events import UNREADABLE


class ChunkMessage(msgspec.Struct, frozen=True):
    """Text by itself, or among parts, and calls of tools. What a model thinks is not read."""

    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None

    @property
    def text(self) -> str:
        parts = self.content if isinstance(self.content, list) else [self.content]
        return "".join(_text_of(part) for part in parts)

    @property
    def besides(self) -> str:
        """What it has instead of text, in words; empty where it has nothing."""
        if self.refusal:
            return f"the model refused: {str(self.refusal)[:200]}"
        if self.tool_calls or self.function_call:
            return "it only calls tools that it was not offered"
        parts = self.content if isinstance(self.content, list) else []
        if self.reasoning or self.reasoning_content or any(_text_of(part) == "" for part in parts):
            return "it only thought"
        return ""


class Choice(msgspec.Struct, frozen=True):
    delta: ChunkMessage | None = None
    message: ChunkMessage | None = None
    """Of an answer that is not streamed. Some servers add the whole of it to a stream's last chunk."""
    text: Any = None
    """Of an answer that is no chat."""
    finish_reason: Any = None


class Chunk(msgspec.Struct, frozen=True):
    choices: list[Choice | None] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: Any = None

    @property
    def choice(self) -> Choice | None:
        return self.choices[0] if self.choices else None


class Tokens(msgspec.Struct, frozen=True):
    """As the server counts them; None where it does not say."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None


_decoder = msgspec.json.Decoder(Chunk | None)


def chunk_in(event: bytes) -> Chunk | None:
    """None for `null`. Raises DecodeError for what is no chunk, and ServerError where the server says one."""
    chunk: Chunk | None = _decoder.decode(event)
    if chunk is not None and (chunk.error or chunk.choices is None) and (error := error_in(event)):
        raise ServerError(error)
    return chunk


def tokens_in(usage: bytes) -> Tokens:
    """Of a chunk's `usage`, in whatever form it is."""
    try:
        fields = msgspec.json.decode(usage)
    except UNREADABLE:
        return Tokens()
    if not isinstance(fields, dict):
        return Tokens()
    details = fields.get("prompt_tokens_details")
    return Tokens(
        prompt=_count(fields.get("prompt_tokens")),
        completion=_count(fields.get("completion_tokens")),
        cached=_count(details.get("cached_tokens")) if isinstance(details, dict) else None,
    )


def _count(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value) if is_number and 0 <= value < float("inf") else None


def _text_of(part: Any) -> str:
    match part:
        case str():
            return part
        case {"type": "text" | "output_text", "text": str(text)}:
            return text
        case _:
            return ""
