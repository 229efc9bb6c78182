"""Any OpenAI-compatible server: `vllm serve`, Ollama, llama.cpp, a hosted one."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing, suppress

import aiohttp
import msgspec

from services.inference.adapters.openai_tokens import ServerTokens
from services.inference.domain.chat_request import Guiding, chat_body, refuses_guiding
from services.inference.domain.chat_stream import ChatStream, StreamError, error_message
from services.inference.domain.thinking import ThoughtFilter
from services.inference.ports import Delta, Finished
from services.inference.settings import InferenceSettings
from shared.errors import Refused, Transient
from shared.events import Usage, encode
from shared.replies import Generate, TokenCounts

_LATER = frozenset({408, 425, 429})
_BAD_KEY = frozenset({401, 403})
_LONGEST_PAUSE_SECONDS = 8.0
_END_SECONDS = 0.05


class _Model(msgspec.Struct, frozen=True):
    id: str
    max_model_len: int | None = None


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


class _AnotherTry(Exception):
    """The server failed before the first token in a way that may pass."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class OpenAiEngine:
    """Passes chats on and reads their streams. Closing a generation closes its connection: it ends."""

    name = "openai"
    waiting = 0

    def __init__(self, settings: InferenceSettings, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._url = settings.openai_base_url.rstrip("/")
        self._http = http
        self._tokens = ServerTokens(self._url, http, settings.request_timeout_seconds / 2)
        self.context_tokens = settings.openai_context_tokens

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: InferenceSettings) -> AsyncIterator["OpenAiEngine"]:
        """Opens no connection yet: the server may come later."""
        key = settings.openai_api_key
        async with aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key.get_secret_value()}"} if key else {},
            connector=aiohttp.TCPConnector(limit=0),  # The server says when it has enough, not the client.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.openai_connect_timeout_seconds),
        ) as http:
            yield cls(settings, http)

    async def generate(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        for failures in range(1, self._settings.openai_retries + 2):
            try:
                async with aclosing(self._attempt(request)) as parts:
                    async for part in parts:
                        yield part
                return
            except _AnotherTry as failure:
                if failures > self._settings.openai_retries:
                    raise Transient(str(failure)) from failure
                await asyncio.sleep(_pause(failures, failure.after))

    async def _attempt(self, request: Generate) -> AsyncGenerator[Delta | Finished, None]:
        """One try. Raises _AnotherTry only while nothing was yielded."""
        model = request.model or self._settings.model or await self._first_model()
        stream, thoughts = ChatStream(), ThoughtFilter()
        try:
            async with aclosing(self._guided_pieces(request, model, stream)) as pieces:
                async for text in pieces:
                    yield Delta(thoughts.feed(text), 1)
        except (aiohttp.ClientError, StreamError, TimeoutError) as error:
            if not stream.ended:
                raise self._failure(stream, error) from error
        if held := thoughts.end():
            yield Delta(held, 0)
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
        if silent:  # Not tried again: a server that is this late has too much to do already.
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
        """A server that keeps to no schema is asked once more: for JSON, with the schema in the prompt."""
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
        """One request and the text of its answer. Each wait ends at the time-out for what is waited for."""
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
                if stream.events > events:  # A comment is a heartbeat of the server, not of the generation.
                    deadline = clock() + self._silence_allowed(stream)
            with suppress(
                TimeoutError
            ):  # Read to its end, a response leaves its connection for the next one.
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
            # Whoever asked cannot help it, and must not think that their own key is meant.
            raise Refused(502, f"the model server does not accept OPENAI_API_KEY: {reason}")
        if response.status < 400:
            raise Refused(502, f"{self._url} answers {response.status}; is OPENAI_BASE_URL right?")
        raise Refused(response.status, reason, "model" if response.status == 404 else None)

    async def count_tokens(self, texts: Sequence[str], model: str | None) -> TokenCounts:
        model = model or self._settings.model or (await self.models())[0]
        return await self._tokens.count(texts, model)

    async def models(self) -> list[str]:
        """Raises Transient where the server does not list its models."""
        served = await self._served()
        default = self._settings.model or (served[0].id if served else None)
        if default is None:
            raise Transient(f"{self._url} serves no model yet", retry_in=5.0)
        for model in served:
            if model.id == default and model.max_model_len is not None:
                self.context_tokens = model.max_model_len
        return [default, *(model.id for model in served if model.id != default)]

    async def check(self) -> None:
        await self.models()

    async def _served(self) -> list[_Model]:
        try:
            async with (
                asyncio.timeout(self._settings.openai_connect_timeout_seconds),
                self._http.get(f"{self._url}/models") as response,
            ):
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Transient(f"{self._url} is not reachable: {error or type(error).__name__}") from error
        if response.status != 200:
            raise Transient(f"{self._url}/models answers {response.status}: {error_message(body)}")
        try:
            return msgspec.json.decode(body, type=_Models).data
        except msgspec.DecodeError as error:
            raise Transient(f"{self._url}/models answers no list of models ({error})") from error


def _retry_after(response: aiohttp.ClientResponse) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def _pause(failures: int, wanted: float) -> float:
    """Doubles from a quarter of a second, with jitter so that many do not come back at once."""
    jitter = random.uniform(0.5, 1.0)  # noqa: S311  # no secret
    return min(max(0.25 * 2.0**failures * jitter, wanted), _LONGEST_PAUSE_SECONDS)
