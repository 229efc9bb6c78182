"""Sends the lines of an import to the gateway, a few hundred at a time."""

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlencode

import msgspec
from tenacity import stop_after_attempt, wait_exponential

from cli.client.gateway import Gateway, GatewayError, silent_for, text_body
from shared.process.retrying import Retry

_LINES = 512
_BYTES = 2 * 1024 * 1024
"""The most that is sent at a time."""
_LONGEST_LINE_BYTES = 1024 * 1024
"""What the gateway takes. Of a longer line it gets one byte more, and refuses it."""
_MOST_NAMED = 1000
"""Bad lines that are kept with their reasons. The others are counted."""
NDJSON = "application/x-ndjson"
SLOW = silent_for(600.0)


class BadLine(msgspec.Struct):
    line: int
    reason: str


class Answer(msgspec.Struct):
    """What the gateway did with the lines of one request, or the sum of many."""

    lines: int = 0
    new: int = 0
    changed: int = 0
    known: int = 0
    bad: list[BadLine] = []
    bad_lines: int = 0

    def add(self, other: "Answer", before: int) -> None:
        """`before`: how many lines were sent before the other's first."""
        for name in ("lines", "new", "changed", "known", "bad_lines"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        room = _MOST_NAMED - len(self.bad)
        self.bad += [BadLine(before + bad.line, bad.reason) for bad in other.bad[:room]]


def is_away(error: BaseException) -> bool:
    return isinstance(error, GatewayError) and error.status in (None, 503)


_RETRY = Retry(on=is_away, wait=wait_exponential(multiplier=0.5), stop=stop_after_attempt(6))
"""A gateway or an indexer that restarts needs some seconds."""


class Importer:
    """The gateway's route for imports."""

    def __init__(self, gateway: Gateway, user: str | None, retry: Retry = _RETRY) -> None:
        self._gateway = gateway
        self._query = {"user": user} if user else {}
        self._retry = retry

    async def send(self, lines: list[bytes]) -> Answer:
        """Tries again for a while where the gateway cannot store them now. Raises GatewayError."""
        return await self._retry(self._send, b"\n".join(lines))

    async def _send(self, body: bytes) -> Answer:
        path = f"/v1/imports?{urlencode(self._query)}"
        said = await self._gateway.call("POST", path, body=text_body(body, NDJSON))
        return msgspec.convert(said, Answer)


async def send_all(
    lines: Iterable[bytes], importer: Importer, total: Answer, on_sent: Callable[[int], None]
) -> None:
    """Sends all lines, and adds each answer to `total`. Raises GatewayError."""
    sent = 0
    for chunk in chunks_of(lines):
        total.add(await importer.send(chunk), sent)
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
