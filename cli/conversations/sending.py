"""The lines of an import on their way to the gateway, a few hundred at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

_LINES = 512
_BYTES = 2 * 1024 * 1024
"""The most that is sent at a time."""
_LONGEST_LINE_BYTES = 1024 * 1024
"""What the gateway takes; of a longer line so much is sent that it sees so."""
_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 600.0
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each further try: a gateway or an indexer that restarts needs some seconds."""
_HINTS = {401: " Set PANDORA_API_KEY to a valid key.", 503: " See `pandora status`."}


class ImportFailed(Exception):
    """The import came to a stop; the message says how far it came and what to do next."""


class BadLine(msgspec.Struct):
    line: int
    reason: str


class Answer(msgspec.Struct):
    """What the gateway made of the lines, and the sum of such."""

    lines: int = 0
    new: int = 0
    changed: int = 0
    known: int = 0
    bad: list[BadLine] = []
    bad_lines: int = 0

    def add(self, other: "Answer", before: int) -> None:
        """`before` lines came before the other's first."""
        for name in ("lines", "new", "changed", "known", "bad_lines"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bad += [BadLine(before + bad.line, bad.reason) for bad in other.bad]


class Gateway:
    """The gateway's route for imports."""

    def __init__(
        self, url: str, http: aiohttp.ClientSession, user: str | None, pauses: Sequence[float] = _PAUSES
    ) -> None:
        self._url = url
        self._http = http
        self._query = {"user": user} if user else {}
        self._pauses = pauses

    async def send(self, lines: list[bytes]) -> Answer:
        """Tries again for a while where nobody can take them. Raises ImportFailed."""
        body = b"\n".join(lines)
        for pause in (*self._pauses, None):
            answer = await self._try(body)
            if isinstance(answer, Answer):
                return answer
            if pause is None:
                break
            await asyncio.sleep(pause)
        raise ImportFailed(answer)

    async def _try(self, body: bytes) -> Answer | str:
        """Why not, where a later try may do better."""
        try:
            async with self._http.post(
                f"{self._url}/v1/imports",
                params=self._query,
                data=body,
                headers={"Content-Type": "application/x-ndjson"},
            ) as response:
                text = await response.read()
        except aiohttp.ClientConnectorError:
            return (
                f"No gateway answers at {self._url}. Start Pandora with `pandora up`, "
                "or set PANDORA_URL to where it runs."
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or "nothing came in time"
            return f"The gateway at {self._url} did not answer ({why}). See `pandora status`."
        if response.status == 200:
            try:
                return msgspec.json.decode(text, type=Answer)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ImportFailed(
                    f"What answers at {self._url} is no gateway. Check PANDORA_URL."
                ) from error
        refusal = _refusal(response.status, text)
        if response.status != 503:
            raise ImportFailed(refusal)
        return refusal


def _refusal(status: int, text: bytes) -> str:
    """The words of an RFC 9457 answer."""
    try:
        problem = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or "no reason given").rstrip(".")
    return f"The gateway refused with status {status}: {detail}.{_HINTS.get(status, '')}"


async def send_all(
    lines: Iterable[bytes], gateway: Gateway, total: Answer, on_sent: Callable[[int], None]
) -> None:
    """Adds up in `total` what became of them, as far as it came. Raises ImportFailed."""
    sent = 0
    for chunk in chunks_of(lines):
        total.add(await gateway.send(chunk), sent)
        sent += len(chunk)
        on_sent(sent)


def chunks_of(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        sent = line.rstrip(b"\r\n")[: _LONGEST_LINE_BYTES + 1]
        if chunk and (len(chunk) == _LINES or size + len(sent) > _BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(sent)
        size += len(sent)
    if chunk:
        yield chunk


@asynccontextmanager
async def connected(
    url: str, key: str | None, user: str | None, pauses: Sequence[float] = _PAUSES
) -> AsyncIterator[Gateway]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as http:
        yield Gateway(url, http, user, pauses)
