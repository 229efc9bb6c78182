"""The answers of chat completions: whole, or in chunks."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from services.gateway.openai.errors import error_body
from services.gateway.openai.tools import CalledTool, CalledToolPiece, called, called_piece
from shared.contract.events import Usage
from shared.contract.requests import ToolCall

DONE = b"data: [DONE]\n\n"
FinishReason = Literal["stop", "length", "tool_calls"]


class CachedTokens(msgspec.Struct, frozen=True):
    cached_tokens: int


class TokenUsage(msgspec.Struct, kw_only=True, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class Said(msgspec.Struct, kw_only=True, frozen=True):
    role: Literal["assistant"] = "assistant"
    content: str | None
    """Null where the answer is calls of tools alone."""
    refusal: None = None
    tool_calls: list[CalledTool] | UnsetType = UNSET


class Choice(msgspec.Struct, kw_only=True, frozen=True):
    index: int = 0
    message: Said
    logprobs: None = None
    finish_reason: FinishReason


class Completion(msgspec.Struct, kw_only=True, frozen=True):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: TokenUsage


class Delta(msgspec.Struct, kw_only=True, frozen=True):
    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    tool_calls: list[CalledToolPiece] | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, kw_only=True, frozen=True):
    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: FinishReason | None = None


class Chunk(msgspec.Struct, kw_only=True, frozen=True):
    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: TokenUsage | UnsetType | None = UNSET


class Head(msgspec.Struct, kw_only=True, frozen=True):
    """What all chunks of one answer share."""

    id: str
    created: int
    model: str
    with_usage: bool
    """The client asked for a last chunk with the usage. The others have `usage: null` then."""

    def completion(
        self, text: str, usage: Usage, finish_reason: FinishReason, calls: Sequence[ToolCall] = ()
    ) -> Completion:
        said = Said(content=text)
        if calls:
            said = Said(content=text or None, tool_calls=[called(call) for call in calls])
        choice = Choice(message=said, finish_reason=finish_reason)
        return Completion(
            id=self.id, created=self.created, model=self.model, choices=[choice], usage=tokens_of(usage)
        )

    def begin(self) -> bytes:
        return self._chunk(ChunkChoice(delta=Delta(role="assistant", content="")))

    def text(self, text: str) -> bytes:
        return self._chunk(ChunkChoice(delta=Delta(content=text)))

    def calls(self, calls: Sequence[ToolCall]) -> bytes:
        """A chunk for each call, with all of it."""
        pieces = [called_piece(index, call) for index, call in enumerate(calls)]
        return b"".join(self._chunk(ChunkChoice(delta=Delta(tool_calls=[piece]))) for piece in pieces)

    def end(self, usage: Usage, finish_reason: FinishReason) -> bytes:
        """The chunk with the reason, and the one with the usage."""
        last = self._chunk(ChunkChoice(delta=Delta(), finish_reason=finish_reason))
        return last + self._chunk(usage=tokens_of(usage)) if self.with_usage else last

    def _chunk(self, *choices: ChunkChoice, usage: TokenUsage | None = None) -> bytes:
        return event(
            Chunk(
                id=self.id,
                created=self.created,
                model=self.model,
                choices=list(choices),
                usage=usage if self.with_usage else UNSET,
            )
        )


def event(data: msgspec.Struct) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(data)


FAREWELL = event(error_body(503, "this gateway stops; send the same request again in a moment", None))
"""The end of a stream whose gateway stops."""


def tokens_of(usage: Usage) -> TokenUsage:
    return TokenUsage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        prompt_tokens_details=CachedTokens(usage.cached_tokens),
    )
