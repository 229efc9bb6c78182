"""python -m bench.engines.instant_server PORT REPLY: the instant engine called directly over HTTP.

`POST /stream` is what our own path is held against: the least server that streams, raw ASGI on uvicorn with
uvloop and httptools, one server-sent event a token. `/v1` speaks as OpenAI-compatible servers do.
"""

import sys
from contextlib import aclosing
from typing import Any

import msgspec
import uvicorn

from bench.engines.instant import MODEL, REPLIES, InstantEngine
from services.inference.ports import Delta
from shared.contract.events import OutputDelta, encode
from shared.contract.requests import Generate, Message

_SSE = [(b"content-type", b"text/event-stream")]
_JSON = [(b"content-type", b"application/json")]
_END = (
    b'data: {"id":"instant","object":"chat.completion.chunk","created":1,"model":"instant",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


class _Asked(msgspec.Struct):
    """What either kind of body may hold."""

    input: str = ""
    messages: list[Message] = []
    stream: bool = False


class _Piece(msgspec.Struct):
    content: str


class _Choice(msgspec.Struct):
    delta: _Piece
    index: int = 0
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice]
    id: str = "instant"
    object: str = "chat.completion.chunk"
    created: int = 1
    model: str = MODEL


class _Said(msgspec.Struct):
    content: str
    role: str = "assistant"


class _WholeChoice(msgspec.Struct):
    message: _Said
    index: int = 0
    finish_reason: str = "stop"


class _Spent(msgspec.Struct):
    completion_tokens: int
    total_tokens: int
    prompt_tokens: int = 1


class _Completion(msgspec.Struct):
    choices: list[_WholeChoice]
    usage: _Spent
    id: str = "instant"
    object: str = "chat.completion"
    created: int = 1
    model: str = MODEL


def application(engine: InstantEngine) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] in ("/stream", "/v1/chat/completions"):
            asked = msgspec.json.decode(await _body(receive), type=_Asked)
            is_ours = scope["path"] == "/stream"
            if is_ours or asked.stream:
                await _stream(engine, asked, is_ours, send)
            else:
                await _answer(send, 200, await _whole(engine, asked))
            return
        known = {"/healthz": b"{}", "/v1/models": b'{"object":"list","data":[{"id":"%b"}]}' % MODEL.encode()}
        body = known.get(scope["path"])
        await _answer(send, 404 if body is None else 200, body or b"{}")

    return app


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [*_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _request(asked: _Asked) -> Generate:
    return Generate(request_id="-", messages=asked.messages, question=asked.input, stream_to="-")


async def _whole(engine: InstantEngine, asked: _Asked) -> bytes:
    async with aclosing(engine.generate(_request(asked))) as parts:
        texts = [part.text async for part in parts if isinstance(part, Delta)]
    said = _WholeChoice(_Said("".join(texts)))
    return encode(_Completion([said], _Spent(len(texts), len(texts) + 1)))


async def _stream(engine: InstantEngine, asked: _Asked, ours: bool, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _SSE})
    async with aclosing(engine.generate(_request(asked))) as parts:
        index = 0
        async for part in parts:
            if isinstance(part, Delta):
                event = _own_event(index, part.text) if ours else _openai_event(part.text)
                await send({"type": "http.response.body", "body": event, "more_body": True})
                index += 1
    await send({"type": "http.response.body", "body": b"" if ours else _END})


def _own_event(index: int, text: str) -> bytes:
    body = encode(OutputDelta(index=index, text=text))
    return b"id: %d\nevent: output.delta\ndata: %b\n\n" % (index, body)


def _openai_event(text: str) -> bytes:
    return b"data: %b\n\n" % encode(_Chunk(choices=[_Choice(_Piece(text))]))


def main(port: int, reply: str) -> None:
    config = uvicorn.Config(
        application(InstantEngine(REPLIES[reply])),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
