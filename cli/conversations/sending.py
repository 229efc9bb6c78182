"""The lines of an import on their way to the gateway, a few hundred at a time."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from cli.client import Gateway, GatewayError, silent_for

_LINES = 512
_BYTES = 2 * 1024 * 1024
"""The most that is sent at a time."""
_LONGEST_LINE_BYTES = 1024 * 1024
"""What the gateway takes; of a longer line so much is sent that it sees so."""
SLOW = silent_for(600.0)
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each further try: a gateway or an indexer that restarts needs some seconds."""


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


class Importer:
    """The gateway's route for imports."""

    def __init__(self, gateway: Gateway, user: str | None, pauses: Sequence[float] = _PAUSES) -> None:
        self._gateway = gateway
        self._query = {"user": user} if user else {}
        self._pauses = pauses

    async def send(self, lines: list[bytes]) -> Answer:
        """Tries again for a while where nobody can take them. Raises GatewayError."""
        body = b"\n".join(lines)
        for pause in self._pauses:
            try:
                return await self._send(body)
            except GatewayError as error:
                if error.status not in (None, 503):
                    raise
            await asyncio.sleep(pause)
        return await self._send(body)

    async def _send(self, body: bytes) -> Answer:
        headers = {"Content-Type": "application/x-ndjson"}
        said = await self._gateway.call("POST", "/v1/imports", params=self._query, data=body, headers=headers)
        return msgspec.convert(said, Answer)


async def send_all(
    lines: Iterable[bytes], importer: Importer, total: Answer, on_sent: Callable[[int], None]
) -> None:
    """Adds up in `total` what became of them, as far as it came. Raises GatewayError."""
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
