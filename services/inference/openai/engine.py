"""The engine that passes chats to an OpenAI-compatible server: `vllm serve`, Ollama, llama.cpp, a hosted
one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress
from datetime import UTC, datetime

import aiohttp

from services.inference.openai.attempts import AnotherTry, Attempts
from services.inference.openai.chat_request import Guiding, chat_body, refuses_guiding, text_body
from services.inference.openai.chat_stream import ChatStream, CutOff
from services.inference.openai.events import NotAnAnswer
from services.inference.openai.failures import failure_of, failure_of_status
from services.inference.openai.models import ServerModels
from services.inference.openai.server_errors import ServerError, reason_of, retry_after
from services.inference.openai.tokens import ServerTokens
from services.inference.ports import Delta, Finished
from services.inference.settings import InferenceSettings
from services.inference.text.thinking import NEVER_ANSWERED, ThoughtFilter
from shared.contract.errors import Refused, Transient
from shared.contract.events import Usage, encode
from shared.contract.requests import Generate, TokenCounts

_END_SECONDS = 0.05


class OpenAiEngine:
    """Closing a generation closes its connection, by which the server notices and stops."""

    name = "openai"
    waiting = 0
    holds_prefixes = True

    def __init__(self, settings: InferenceSettings, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._url = settings.openai_base_url.rstrip("/")
        self._http = http
        self._tokens = ServerTokens(self._url, http, settings.request_timeout_seconds / 2)
        self._models = ServerModels(self._url, http, settings)

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: InferenceSettings) -> AsyncIterator["OpenAiEngine"]:
        """Opens no connection yet: the server may start later."""
        key = settings.openai_api_key
        async with aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            connector=aiohttp.TCPConnector(limit=0),  # The server limits its load, not the client.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.openai_connect_timeout_seconds),
        ) as http:
            yield cls(settings, http)

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        attempts = Attempts(self._settings.openai_retries)
        while True:
            try:
                async with aclosing(self._attempt(request)) as parts:
                    async for part in parts:
                        yield part
                return
            except AnotherTry as failure:
                pause = attempts.pause_after(failure)
            await asyncio.sleep(pause)

    async def _attempt(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        """Makes one try. Raises AnotherTry only while nothing was yielded."""
        model = request.model or await self._default_model()
        stream, thoughts = ChatStream(), ThoughtFilter(is_answer=request.prompt is not None)
        asked = self._guided_pieces if request.prompt is None else self._text_pieces
        try:
            async with aclosing(asked(request, model, stream)) as pieces:
                async for text in pieces:
                    yield Delta(thoughts.feed(text), 1)
        except (aiohttp.ClientError, ServerError, NotAnAnswer, CutOff, TimeoutError) as error:
            if stream.end is None:
                raise failure_of(error, self._url, stream.pieces) from error
        if rest := thoughts.end():
            yield Delta(rest, 0)
        yield self._finished(request, stream, model, is_thinking=thoughts.is_thinking)

    def _finished(self, request: Generate, stream: ChatStream, model: str, *, is_thinking: bool) -> Finished:
        if stream.end is None or stream.end == "filtered":
            raise Refused(
                502, f"the content filter of {self._url} ended the answer after {stream.pieces} tokens"
            )
        tokens = stream.tokens
        calls = stream.calls.whole() if request.tools else []
        return Finished(
            reason="tool_calls" if calls and stream.end == "stop" else stream.end,
            model=model,
            usage=Usage(
                input_tokens=tokens.prompt or 0,
                output_tokens=stream.pieces if tokens.completion is None else tokens.completion,
                cached_tokens=tokens.cached or 0,
            ),
            instead_of_text=NEVER_ANSWERED if is_thinking else stream.besides,
            tool_calls=calls,
        )

    async def _default_model(self) -> str:
        try:
            return (await self.models())[0]
        except Transient as error:
            raise AnotherTry(str(error), may_be_paid=False) from error

    async def _guided_pieces(
        self, request: Generate, model: str, stream: ChatStream
    ) -> AsyncGenerator[str, None]:
        """Where the server refuses schemas, asks once more for plain JSON, with the schema in the prompt."""
        ways: tuple[Guiding, ...] = ("json_schema", "json_object")
        for guiding in ways if request.schema is not None else ways[:1]:
            try:
                body = encode(chat_body(request, model, guiding))
                async with aclosing(self._pieces("/chat/completions", body, stream)) as pieces:
                    async for text in pieces:
                        yield text
                return
            except Refused as refusal:
                if guiding == "json_object" or not refuses_guiding(refusal.status, refusal.detail):
                    raise

    def _text_pieces(self, request: Generate, model: str, stream: ChatStream) -> AsyncGenerator[str, None]:
        return self._pieces("/completions", encode(text_body(request, model)), stream)

    async def _pieces(self, path: str, body: bytes, stream: ChatStream) -> AsyncGenerator[str, None]:
        """Sends one request and yields the text of its answer. Each wait has its own time limit."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.openai_first_token_timeout_seconds
        async with asyncio.timeout_at(deadline):
            response = await self._http.post(
                f"{self._url}{path}", data=body, headers={"Content-Type": "application/json"}
            )
        with closing(response):
            async with asyncio.timeout_at(deadline):
                await self._raise_for(response)
            while not stream.done:
                async with asyncio.timeout_at(deadline):
                    data = await response.content.readany()
                if not data:
                    break
                events = stream.events
                for text in stream.feed(data):
                    yield text
                if stream.events > events:  # A comment shows that the server lives, not that it generates.
                    deadline = clock() + self._silence_allowed(stream)
            for text in stream.close():
                yield text
            # A response that was read to its end leaves its connection for the next request.
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await response.content.read()

    def _silence_allowed(self, stream: ChatStream) -> float:
        if stream.pieces:
            return self._settings.openai_token_timeout_seconds
        return self._settings.openai_first_token_timeout_seconds

    async def _raise_for(self, response: aiohttp.ClientResponse) -> None:
        # A redirect made another request of it: one without the prompt.
        status = response.status if response.method == "POST" else response.history[0].status
        if status == 200:
            return
        reason = reason_of(await response.content.read(16_384))
        after = retry_after(response.headers, datetime.now(UTC))
        raise failure_of_status(status, reason, self._url, after)

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        return await self._tokens.count(texts, model or (await self.models())[0])

    async def models(self) -> list[str]:
        """MODEL alone where the server does not list its models. Raises Transient where that is not set."""
        return await self._models.names()

    @property
    def context_tokens(self) -> int:
        return self._models.context_tokens

    async def check(self) -> None:
        await self._models.check()
