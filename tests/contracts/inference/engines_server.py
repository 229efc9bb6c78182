"""A small OpenAI-compatible server for the tests: real HTTP on a free port, answers word by word."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.contracts.inference.raw_answers import RawAnswer

MODEL = "parrot"


class ChatServer:
    """Repeats the last message. `script` has one entry for each of the next requests; later ones succeed.

    Entries: an HTTP status to answer with, "drop" to close without an answer, "drop mid-stream" to close
    after two words, "error in stream", "refusal in stream", "silence" to say nothing more, "silence
    mid-stream", "think" to send what it thinks before it answers, and a RawAnswer.
    """

    def __init__(self) -> None:
        self.url = ""
        self.word_seconds = 0.0
        self.counts_tokens = True
        self.cached_tokens: int | None = None
        """Cached tokens of every prompt, as vLLM reports them with --enable-prompt-tokens-details."""
        self.tokenizes = True
        self.takes_schemas = True
        self.script: list[int | str | RawAnswer] = []
        self.listing: RawAnswer | None = None
        """What `/models` answers, where it is not the usual list."""
        self.answer: str | None = None
        """The answer to a prompt that asks for JSON."""
        self.bodies: list[dict[str, Any]] = []
        self.prompts: list[dict[str, Any]] = []
        """Those of them that are no chats."""
        self.headers: list[dict[str, str]] = []
        self.tokenized = 0
        """Times that it was asked to."""
        self.running = 0
        self.left_early = 0

    async def models(self, request: web.Request) -> web.StreamResponse:
        if self.listing is not None:
            return await self.listing.send(request)
        return web.json_response(
            {"object": "list", "data": [{"id": MODEL, "max_model_len": 4096}, {"id": "parrot-2"}]}
        )

    async def tokenize(self, request: web.Request) -> web.Response:
        """In vLLM's form. A token is a word."""
        self.tokenized += 1
        if not self.tokenizes:
            raise web.HTTPNotFound
        body = await request.json()
        if body["model"] not in {MODEL, "parrot-2"}:
            return self._unknown_model(body)
        words = body["prompt"].split()
        return web.json_response({"count": len(words), "max_model_len": 4096, "tokens": [7] * len(words)})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, await request.json())

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """The legacy completions: repeats the prompt."""
        body = await request.json()
        self.prompts.append(body)
        return await self._answer(request, body)

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        step = self.script.pop(0) if self.script else "well"
        if isinstance(step, RawAnswer):
            return await step.send(request)
        if isinstance(step, int):
            return web.json_response({"error": {"message": f"scripted {step}", "code": step}}, status=step)
        if body["model"] not in {MODEL, "parrot-2"}:
            return self._unknown_model(body)
        if body.get("response_format", {}).get("type") == "json_schema" and not self.takes_schemas:
            message = "response_format: json_schema is not supported"
            return web.json_response({"error": {"message": message}}, status=400)
        self.running += 1
        try:
            return await self._stream(request, body, step)
        except (ConnectionError, asyncio.CancelledError):
            self.left_early += 1
            raise
        finally:
            self.running -= 1

    def _unknown_model(self, body: dict[str, Any]) -> web.Response:
        message = f"The model `{body['model']}` does not exist."
        return web.json_response({"error": {"message": message, "code": 404}}, status=404)

    async def _stream(self, request: web.Request, body: dict[str, Any], step: str) -> web.StreamResponse:
        assert request.transport is not None
        if step == "drop":
            request.transport.close()
            return web.Response()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if step == "silence":
            await asyncio.sleep(60)
        if step == "error in stream":
            await response.write(b'data: {"error": {"message": "out of memory", "code": 500}}\n\n')
            return response
        if step == "refusal in stream":
            await response.write(b'data: {"error": {"message": "Grammar error", "code": 400}}\n\n')
            return response
        wants_json = self.answer is not None and (
            "response_format" in body or "JSON" in str(body.get("messages", [])[:1])
        )
        text = str(self.answer) if wants_json else _asked(body)
        for stop in body.get("stop", []):
            text = text.partition(stop)[0]
        words = text.split(" ")
        said = words[: body.get("max_tokens", len(words))]
        await response.write(b": a comment, as some servers send while they load\n\n")
        if "messages" in body:
            await response.write(_event({"choices": [{"delta": {"role": "assistant", "content": ""}}]}))
        if step == "think":
            for name in ("reasoning", "reasoning_content"):
                await response.write(_event({"choices": [{"delta": {name: "Let me think. "}}]}))
        for number, word in enumerate(said):
            text = word if number == 0 else f" {word}"
            piece = {"delta": {"content": text}} if "messages" in body else {"text": text}
            await response.write(_event({"choices": [{**piece, "finish_reason": None}]}))
            await asyncio.sleep(self.word_seconds)
            if number == 1 and step == "drop mid-stream":
                request.transport.close()
                return response
            if number == 1 and step == "silence mid-stream":
                await asyncio.sleep(60)
        reason = "stop" if len(said) == len(words) else "length"
        last: dict[str, Any] = {"delta": {}} if "messages" in body else {"text": ""}
        await response.write(_event({"choices": [{**last, "finish_reason": reason}]}))
        if self.counts_tokens:
            usage: dict[str, Any] = {"prompt_tokens": len(words), "completion_tokens": len(said)}
            if self.cached_tokens is not None:
                usage["prompt_tokens_details"] = {"cached_tokens": self.cached_tokens}
            await response.write(_event({"choices": [], "usage": usage}))
        await response.write(b"data: [DONE]\n\n")
        return response


def _asked(body: dict[str, Any]) -> str:
    if "prompt" in body:
        return str(body["prompt"])
    asked = body["messages"][-1]["content"]
    return str(asked if isinstance(asked, str) else asked[0]["text"])


def _event(chunk: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


@asynccontextmanager
async def chat_server(port: int = 0) -> AsyncIterator[ChatServer]:
    server = ChatServer()
    app = web.Application()
    app.router.add_get("/v1/models", server.models)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_post("/v1/completions", server.complete)
    app.router.add_post("/tokenize", server.tokenize)
    # A handler is cancelled when its client leaves: so a real server notices, too.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
