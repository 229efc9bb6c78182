"""Answers of a server, byte for byte: the forms in which servers of the wild stream an answer."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SENTENCE = "The ferry leaves at nine from pier four."
WORDS = [word if number == 0 else f" {word}" for number, word in enumerate(SENTENCE.split())]
PAGE = b"<!doctype html><html><head><title>Open WebUI</title></head><body>Welcome</body></html>"


@dataclass
class RawAnswer:
    """Sends its parts one by one, then ends the response, or drops the connection."""

    parts: Sequence[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/event-stream"})
    drops: bool = False

    async def send(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status, headers=self.headers)
        await response.prepare(request)
        for part in self.parts:
            await response.write(part)
        if self.drops and request.transport is not None:
            request.transport.close()
        return response


def event(chunk: Any) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def choice(delta: Any, finish_reason: Any = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def word_events(words: Sequence[str] = WORDS, finish_reason: Any = None) -> list[bytes]:
    return [event(choice({"content": word}, finish_reason)) for word in words]


END = event(choice({}, "stop"))
DONE = b"data: [DONE]\n\n"


def stream(*parts: bytes, drops: bool = False) -> RawAnswer:
    return RawAnswer(parts, drops=drops)


def whole_stream(*between: bytes, last: Sequence[bytes] = (END, DONE)) -> RawAnswer:
    """The sentence, with `between` in its middle."""
    events = word_events()
    return stream(*events[:4], *between, *events[4:], *last)


def document(body: Any, status: int = 200, **headers: str) -> RawAnswer:
    """A JSON document, or bytes of another kind."""
    is_page = isinstance(body, bytes)
    kind = "text/html" if is_page else "application/json"
    data = body if is_page else json.dumps(body).encode()
    return RawAnswer([data], status, {"Content-Type": kind, **headers})


def completion(content: Any, finish_reason: Any = "stop", **message: Any) -> RawAnswer:
    """A whole answer that is not streamed."""
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 5, "completion_tokens": 8}
    return document({"choices": [{"message": said, "finish_reason": finish_reason}], "usage": usage})


def gzipped(answer: RawAnswer) -> RawAnswer:
    return RawAnswer(
        [gzip.compress(b"".join(answer.parts))], answer.status, {**answer.headers, "Content-Encoding": "gzip"}
    )
