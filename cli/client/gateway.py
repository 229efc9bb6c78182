"""The gateway over HTTP, with a key, and with errors that say what to do next."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from cli.client.address import gateway_key, gateway_url
from cli.client.http import Answer, Body, HttpError, NoConnection, request
from cli.terminal.failure import CommandFailed

_MOVED = " Set PANDORA_URL to the address that the gateway has now."
_HINTS = {
    301: _MOVED,
    302: _MOVED,
    307: _MOVED,
    308: _MOVED,
    401: " Set PANDORA_API_KEY to a valid key.",
    403: " Set PANDORA_API_KEY to an admin's key.",
    503: " See `pandora status`.",
}


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How many seconds a command waits: for a next byte, and for all of an answer."""

    silence: float | None = None
    total: float | None = None


SHORT: Final = Patience(total=9.0)
OF_GATEWAY: Final = "/healthz"
OF_ORCHESTRATOR: Final = "/v1/queue?limit=1"
OF_INDEXER: Final = "/v1/memories?limit=1"
"""Short questions that each of them answers."""


def silent_for(seconds: float) -> Patience:
    """For long answers: only a silence ends them."""
    return Patience(silence=seconds)


class GatewayError(CommandFailed):
    """`status` is the HTTP status. None: no whole answer came, and `why` says how it broke off."""

    def __init__(self, message: str, status: int | None = None, why: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.why = why


class Gateway:
    """Every call raises GatewayError where it is refused or gets no whole answer."""

    def __init__(self, url: str, key: str | None, patience: Patience = SHORT) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._patience = patience

    @asynccontextmanager
    async def open(
        self, method: str, path: str, *, body: Body | None = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Answer]:
        """Gives an answer that is no refusal, to be read inside the block."""
        sent, silence = self._headers | (headers or {}), self._patience.silence
        try:
            async with (
                asyncio.timeout(self._patience.total),
                request(method, self.url + path, sent, body, silence=silence) as answer,
            ):
                if answer.status >= 300:
                    raise GatewayError(refusal(answer.status, await answer.read()), answer.status)
                yield answer
        except NoConnection as error:
            raise GatewayError(
                f"No gateway answers at {self.url}. Start Pandora with `pandora up`, "
                "or set PANDORA_URL to where it runs.",
                why=str(error),
            ) from error
        except (HttpError, TimeoutError) as error:
            why = str(error) or "nothing came in time"
            raise GatewayError(
                f"The answer of the gateway at {self.url} did not come, or broke off ({why}). "
                "See `pandora status`, then run the same command again: it does nothing twice.",
                why=why,
            ) from error

    async def call(
        self, method: str, path: str, *, body: Body | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        async with self.open(method, path, body=body, headers=headers) as answer:
            status, text = answer.status, await answer.read()
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GatewayError(
                f"What answers at {self.url} is not a gateway. Check PANDORA_URL.", status
            ) from error


def json_body(value: object) -> Body:
    return text_body(msgspec.json.encode(value), "application/json")


def text_body(text: bytes, media_type: str) -> Body:
    return Body([text], len(text), media_type)


def refusal(status: int, body: bytes) -> str:
    """Says in one line what an RFC 9457 answer refuses, and what to do."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or "no reason given").rstrip(".")
    field = f" ({problem['field']})" if problem.get("field") else ""
    return f"The gateway refused with status {status}: {detail}{field}.{_HINTS.get(status, '')}"


@asynccontextmanager
async def gateway_at(url: str, key: str | None, patience: Patience = SHORT) -> AsyncIterator[Gateway]:
    yield Gateway(url, key, patience)


@asynccontextmanager
async def own_gateway(patience: Patience = SHORT, *, needs: Sequence[str] = ()) -> AsyncIterator[Gateway]:
    """Gives the gateway that the settings name. Raises SettingsError.

    Before a long answer, whose wait has no end, short questions show that all is there that it `needs`.
    Raises GatewayError where one of them is not answered.
    """
    if patience.total is None:
        for question in needs or [OF_GATEWAY]:
            async with Gateway(gateway_url(), gateway_key(), SHORT).open("GET", question):
                pass
    async with gateway_at(gateway_url(), gateway_key(), patience) as gateway:
        yield gateway
