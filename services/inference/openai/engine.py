"""The engine that passes chats to an OpenAI-compatible server: `vllm serve`, Ollama, llama.cpp, a hosted
one."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from services.inference.openai.chat_request import Guiding, chat_body, refuses_guiding
from services.inference.openai.chat_stream import ChatStream, StreamError, error_message
from services.inference.openai.models import served_models
from services.inference.openai.tokens import ServerTokens
from services.inference.ports import Delta, Finished
from services.inference.settings import InferenceSettings
from services.inference.text.thinking import ThoughtFilter
from shared.contract.errors import Refused, Transient
from shared.contract.events import Usage, encode
from shared.contract.requests import Generate, TokenCounts
from shared.process.retrying import error_of

_LATER = frozenset({408, 425, 429})
_BAD_KEY = frozenset({401, 403})
_LONGEST_PAUSE_SECONDS = 8.0
_END_SECONDS = 0.05


class _AnotherTry(Exception):
    """The server failed before the first token, in a way that another try may not."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


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
        self.context_tokens = settings.openai_context_tokens

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
        tries = AsyncRetrying(
            retry=retry_if_exception_type(_AnotherTry),
            stop=stop_after_attempt(1 + self._settings.openai_retries),
            wait=_pause_seconds,
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    async with aclosing(self._attempt(request)) as parts:
                        async for part in parts:
                            yield part
                    return
        except _AnotherTry as failure:
            raise Transient(str(failure)) from failure

    async def _attempt(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        """Makes one try. Raises _AnotherTry only while nothing was yielded."""
        model = request.model or self._settings.model or await self._first_model()
        stream, thoughts = ChatStream(), ThoughtFilter()
        try:
            async with aclosing(self._guided_pieces(request, model, stream)) as pieces:
                async for text in pieces:
                    yield Delta(thoughts.feed(text), 1)
        except (aiohttp.ClientError, StreamError, TimeoutError) as error:
            if not stream.ended:
                raise self._failure(stream, error) from error
        if rest := thoughts.end():
            yield Delta(rest, 0)
        yield Finished(
            reason=stream.reason or "stop",
            model=model,
            usage=Usage(
                input_tokens=stream.usage.prompt_tokens if stream.usage else 0,
                output_tokens=stream.usage.completion_tokens if stream.usage else stream.pieces,
                cached_tokens=stream.usage.cached_tokens if stream.usage else 0,
            ),
        )

    def _failure(self, stream: ChatStream, error: Exception) -> Exception:
        silent = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError)
        if stream.pieces:
            what = "fell silent" if silent else f"broke off ({error})"
            return Refused(504 if silent else 502, f"{self._url} {what} after {stream.pieces} tokens")
        if isinstance(error, StreamError) and 400 <= error.status < 500 and error.status not in _LATER:
            return Refused(error.status, str(error))
        if silent:  # Not tried again: a server that is this late is overloaded already.
            return Transient(f"no first token from {self._url} in time", retry_in=5.0)
        return _AnotherTry(f"{self._url} failed: {error or type(error).__name__}")

    async def _first_model(self) -> str:
        try:
            return (await self.models())[0]
        except Transient as error:
            raise _AnotherTry(str(error)) from error

    async def _guided_pieces(
        self, request: Generate, model: str, stream: ChatStream
    ) -> AsyncGenerator[str, None]:
        """Where the server refuses schemas, asks once more for plain JSON, with the schema in the prompt."""
        ways: tuple[Guiding, ...] = ("json_schema", "json_object")
        for guiding in ways if request.schema is not None else ways[:1]:
            try:
                async with aclosing(
                    self._pieces(encode(chat_body(request, model, guiding)), stream)
                ) as pieces:
                    async for text in pieces:
                        yield text
                return
            except Refused as refusal:
                if guiding == "json_object" or not refuses_guiding(refusal.status, refusal.detail):
                    raise

    async def _pieces(self, body: bytes, stream: ChatStream) -> AsyncGenerator[str, None]:
        """Sends one request and yields the text of its answer. Each wait has its own time limit."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.openai_first_token_timeout_seconds
        async with asyncio.timeout_at(deadline):
            response = await self._http.post(
                f"{self._url}/chat/completions", data=body, headers={"Content-Type": "application/json"}
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
            # A response that was read to its end leaves its connection for the next request.
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await response.content.read()
        if not stream.ended:
            raise StreamError("the stream stopped without an end")

    def _silence_allowed(self, stream: ChatStream) -> float:
        if stream.pieces:
            return self._settings.openai_token_timeout_seconds
        return self._settings.openai_first_token_timeout_seconds

    async def _raise_for(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 200:
            return
        reason = error_message(await response.content.read(16_384))
        if response.status in _LATER or response.status >= 500:
            raise _AnotherTry(f"{self._url} answers {response.status}: {reason}", _retry_after(response))
        if response.status in _BAD_KEY:
            # Not passed on as 401 or 403: the user would think that their own key is wrong.
            raise Refused(502, f"the model server does not accept OPENAI_API_KEY: {reason}")
        if response.status < 400:
            raise Refused(502, f"{self._url} answers {response.status}; is OPENAI_BASE_URL right?")
        raise Refused(response.status, reason, "model" if response.status == 404 else None)

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        model = model or self._settings.model or (await self.models())[0]
        return await self._tokens.count(texts, model)

    async def models(self) -> list[str]:
        """Raises Transient where the server does not list its models."""
        timeout = self._settings.openai_connect_timeout_seconds
        served = await served_models(self._url, self._http, timeout)
        default = self._settings.model or (served[0].id if served else None)
        if default is None:
            raise Transient(f"{self._url} serves no model yet", retry_in=5.0)
        for model in served:
            if model.id == default and model.max_model_len is not None:
                self.context_tokens = model.max_model_len
        return [default, *(model.id for model in served if model.id != default)]

    async def check(self) -> None:
        await self.models()


def _retry_after(response: aiohttp.ClientResponse) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def _pause_seconds(tries: RetryCallState) -> float:
    """Doubles from half a second, less up to a half by jitter; longer where the server says `Retry-After`."""
    failure = error_of(tries)
    wanted = failure.after if isinstance(failure, _AnotherTry) else 0.0
    jitter = random.uniform(0.5, 1.0)  # noqa: S311  # no secret
    return min(max(0.25 * 2.0**tries.attempt_number * jitter, wanted), _LONGEST_PAUSE_SECONDS)
