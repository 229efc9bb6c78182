"""The gateway, as every command reaches it: with a key, and with errors that say what to do next."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec

from cli.failure import CommandFailed
from cli.settings import ClientSettings, gateway_url
from shared.settings import load

_CONNECT_SECONDS = 5.0
_LONGEST_LINE_BYTES = 4 * 1024 * 1024
"""Of an event."""
_HINTS = {
    401: " Set PANDORA_API_KEY to a valid key.",
    403: " Set PANDORA_API_KEY to an admin's key.",
    503: " See `pandora status`.",
}


def silent_for(seconds: float) -> aiohttp.ClientTimeout:
    """For answers that go on for long: only a silence ends them."""
    return aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=seconds)


SHORT: Final = aiohttp.ClientTimeout(total=30.0)


class GatewayError(CommandFailed):
    """`status` is None where no whole answer came; then `why` says what became of the connection."""

    def __init__(self, message: str, status: int | None = None, why: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.why = why


class Gateway:
    """Raises GatewayError."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    @asynccontextmanager
    async def open(self, method: str, path: str, **more: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that is no refusal, to be read inside."""
        try:
            async with self._http.request(method, self.url + path, **more) as response:
                if response.status >= 300:
                    raise GatewayError(refusal(response.status, await response.read()), response.status)
                yield response
        except aiohttp.ClientConnectorError as error:
            raise GatewayError(
                f"No gateway answers at {self.url}. Start Pandora with `pandora up`, "
                "or set PANDORA_URL to where it runs.",
                why=str(error),
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or "nothing came in time"
            raise GatewayError(
                f"The answer of the gateway at {self.url} did not come, or broke off ({why}). "
                "See `pandora status`, then run the same command again: it does nothing twice.",
                why=why,
            ) from error

    async def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        async with self.open(method, path, **more) as response:
            body = await response.read()
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GatewayError(
                f"What answers at {self.url} is no gateway. Check PANDORA_URL.", response.status
            ) from error


def refusal(status: int, body: bytes) -> str:
    """The words of an RFC 9457 answer, in one line, and what to do."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or "no reason given").rstrip(".")
    field = f" ({problem['field']})" if problem.get("field") else ""
    return f"The gateway refused with status {status}: {detail}{field}.{_HINTS.get(status, '')}"


@asynccontextmanager
async def gateway_at(
    url: str, key: str | None, timeout: aiohttp.ClientTimeout = SHORT
) -> AsyncIterator[Gateway]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(
        timeout=timeout, headers=headers, read_bufsize=_LONGEST_LINE_BYTES
    ) as http:
        yield Gateway(url, http)


@asynccontextmanager
async def own_gateway(timeout: aiohttp.ClientTimeout = SHORT) -> AsyncIterator[Gateway]:
    """The one that the settings name. Raises SettingsError."""
    key = load(ClientSettings).pandora_api_key
    async with gateway_at(gateway_url(), key.get_secret_value() if key else None, timeout) as gateway:
        yield gateway
