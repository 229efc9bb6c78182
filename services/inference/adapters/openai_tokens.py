"""Token counts of an OpenAI-compatible server: vLLM and its kind answer `/tokenize`, at their root."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

import aiohttp
import msgspec

from services.inference.domain.chat_stream import error_message
from services.inference.domain.tokens import estimate_all
from shared.errors import Refused
from shared.events import encode
from shared.replies import TokenCounts

_AT_ONCE = 4
_NO_SUCH_PLACE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


class _Counted(msgspec.Struct, frozen=True):
    count: int


class _NotCounted(Exception):
    """The server did not say, this time."""


class ServerTokens:
    """Counts by the server's own tokenizer, and estimates where it has none to offer."""

    def __init__(self, url: str, http: aiohttp.ClientSession, timeout_seconds: float) -> None:
        self._url = f"{url.removesuffix('/v1')}/tokenize"
        self._http = http
        self._timeout_seconds = timeout_seconds
        self._may_count = True
        """False once the server has said that it has no such place: it is not asked again."""

    async def count(self, texts: Sequence[str], model: str) -> TokenCounts:
        """Raises Refused where the server does not know the model."""
        if self._may_count:
            at_once = asyncio.Semaphore(_AT_ONCE)
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    counts = [await self._count(text, model, at_once) for text in texts[:1]]
                    counts += await asyncio.gather(*(self._count(text, model, at_once) for text in texts[1:]))
                return TokenCounts(counts=counts, exact=True)
            except (_NotCounted, aiohttp.ClientError, TimeoutError):
                pass
        return TokenCounts(counts=estimate_all(texts), exact=False)

    async def _count(self, text: str, model: str, at_once: asyncio.Semaphore) -> int:
        body = encode({"model": model, "prompt": text, "add_special_tokens": False})
        headers = {"Content-Type": "application/json"}
        async with at_once, self._http.post(self._url, data=body, headers=headers) as response:
            answer = await response.read()
        if response.status == HTTPStatus.OK:
            try:
                return msgspec.json.decode(answer, type=_Counted).count
            except msgspec.DecodeError as error:
                raise _NotCounted from error
        if response.status in _NO_SUCH_PLACE:
            reason = error_message(answer)
            if "model" in reason:
                raise Refused(404, reason, "model")
            self._may_count = False
        raise _NotCounted
