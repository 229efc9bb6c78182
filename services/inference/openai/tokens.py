"""Counts tokens by an OpenAI-compatible server. vLLM and some others answer `/tokenize` beside `/v1`."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

import aiohttp
import msgspec

from services.inference.openai.server_errors import reason_of
from services.inference.text.token_estimate import estimate_all
from shared.contract.errors import Refused
from shared.contract.events import UNREADABLE, encode
from shared.contract.requests import TokenCounts

_AT_ONCE = 4
_NO_SUCH_PLACE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


class _Counted(msgspec.Struct, frozen=True):
    count: int


class _NotCounted(Exception):
    """The server gave no count this time."""


class ServerTokens:
    """Counts by the server's own tokenizer; estimates where the server offers none."""

    def __init__(self, url: str, http: aiohttp.ClientSession, timeout_seconds: float) -> None:
        self._url = f"{url.removesuffix('/v1')}/tokenize"
        self._http = http
        self._timeout_seconds = timeout_seconds
        self._may_count = True
        """False after the server said that it has no `/tokenize`; it is not asked again."""

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
            except UNREADABLE as error:
                raise _NotCounted from error
        if response.status in _NO_SUCH_PLACE:
            reason = reason_of(answer).message
            if "model" in reason:
                raise Refused(404, reason, "model")
            self._may_count = False
        raise _NotCounted
