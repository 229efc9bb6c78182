"""Reads the stream of a chat completion: server-sent events, each with one JSON object.

Reads only the fields that are used here, since servers differ in the others.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec


class ChunkDelta(msgspec.Struct, frozen=True):
    """The fields with a model's thoughts (`reasoning`, `reasoning_content`) are not read."""

    content: str | None = None


class Choice(msgspec.Struct, frozen=True):
    delta: ChunkDelta | None = None
    finish_reason: str | None = None


class PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class ChunkUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: PromptDetails | None = None

    @property
    def cached_tokens(self) -> int:
        """0 where the server does not say. vLLM's server says it with --enable-prompt-tokens-details."""
        return (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0


class ServerError(msgspec.Struct, frozen=True):
    message: str = "no reason given"
    code: int | str | None = None
    """Mostly the HTTP status that the server would have sent before the stream began."""


class Chunk(msgspec.Struct, frozen=True):
    """One event of the stream. The body of a refusal has the same form, with only `error`."""

    choices: list[Choice] = []
    usage: ChunkUsage | None = None
    error: ServerError | str | None = None


_decoder = msgspec.json.Decoder(Chunk)


class StreamError(Exception):
    """The server's stream has an error in it, or an event that is no chunk."""

    def __init__(self, reason: str, status: int = 500) -> None:
        super().__init__(reason)
        self.status = status


class ChatStream:
    """One response so far. It is fed with the bytes as they arrive."""

    def __init__(self) -> None:
        self.pieces = 0
        """Chunks with text. Where the server does not count tokens, this is their number."""
        self.usage: ChunkUsage | None = None
        self.reason: Literal["stop", "length"] | None = None
        self.events = 0
        self.ended = False
        """The server said that the answer is complete. A stream that stops without this was cut off."""
        self.done = False
        """The stream has ended."""
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Yields the new pieces of text, and counts them in `pieces`. Raises StreamError."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        # Other lines are comments (heartbeats of the server), names of events, and blank lines between
        # events.
        for line in lines:
            if line.startswith(b"data:") and (text := self._read(line[5:].strip())):
                self.pieces += 1
                yield text

    def _read(self, event: bytes) -> str:
        self.events += 1
        if event == b"[DONE]":
            self.ended = self.done = True
            return ""
        try:
            chunk = _decoder.decode(event)
        except msgspec.DecodeError as error:
            raise StreamError(f"not a chat completion chunk ({error})") from error
        if chunk.error is not None:
            raise StreamError(_message(chunk.error), _status(chunk.error))
        self.usage = chunk.usage or self.usage
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        if choice.finish_reason is not None:
            self.ended = True
            self.reason = "length" if choice.finish_reason == "length" else "stop"
        return (choice.delta.content if choice.delta else None) or ""


def error_message(body: bytes) -> str:
    """The reason in the body of a refusal, in any of the usual forms."""
    try:
        error = _decoder.decode(body).error
    except msgspec.DecodeError:
        error = None
    return (
        _message(error)
        if error is not None
        else body.decode(errors="replace").strip()[:300] or "no reason given"
    )


def _status(error: ServerError | str) -> int:
    return error.code if isinstance(error, ServerError) and isinstance(error.code, int) else 500


def _message(error: ServerError | str) -> str:
    return error if isinstance(error, str) else error.message
