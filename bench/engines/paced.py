"""An OpenAI-compatible server in the bench's own process: it talks at a pace and notes when it is idle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

from aiohttp import web

TOKEN_SECONDS = 0.012
"""A little more than DELTA_INTERVAL_MILLISECONDS, so that each token leaves as a delta of its own."""
_MODELS = {"object": "list", "data": [{"id": "paced", "max_model_len": 1_000_000}]}
_TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
_END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class Chat:
    """One request to the engine."""

    def __init__(self) -> None:
        self.sent = 0
        self.last_sent_at = 0.0
        self.idle: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        """When the engine was free again: the client had left, or all was said."""

    async def until_sent(self, tokens: int) -> None:
        async with asyncio.timeout(60 + tokens * TOKEN_SECONDS):
            while self.sent < tokens:  # noqa: ASYNC110  # polled, so that a token costs no more
                await asyncio.sleep(TOKEN_SECONDS / 4)


class PacedEngine:
    """Says `tokens` words to each request, once `may_talk` is set."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = 200
        self.requests = 0
        self.may_talk = asyncio.Event()
        self.may_talk.set()
        self._chats: asyncio.Queue[Chat] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator["PacedEngine"]:
        engine = cls()
        app = web.Application()
        app.router.add_get("/v1/models", engine._models)
        app.router.add_post("/v1/chat/completions", engine._chat)
        # A handler is cancelled when its client leaves: so a real server notices, too.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        engine.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield engine
        finally:
            await runner.cleanup()

    async def next_chat(self) -> Chat:
        async with asyncio.timeout(30):
            return await self._chats.get()

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response(_MODELS)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.requests += 1
        chat = Chat()
        self._chats.put_nowait(chat)
        try:
            return await self._talk(request, chat)
        finally:
            chat.idle.set_result(perf_counter())

    async def _talk(self, request: web.Request, chat: Chat) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self.may_talk.wait()
        clock = asyncio.get_running_loop().time
        begun = clock()
        for number in range(1, self.tokens + 1):
            await response.write(_TOKEN)
            chat.sent, chat.last_sent_at = number, perf_counter()
            # By the clock, so that a late token does not make all others later.
            await asyncio.sleep(begun + number * TOKEN_SECONDS - clock())
        await response.write(_END)
        return response
