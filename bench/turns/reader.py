"""A reader of one turn's events: a connection of its own, cheap enough for hundreds in one process."""

import asyncio
import re
from time import perf_counter
from typing import cast

_END = b"0\r\n\r\n"
_EVENT = b"\nevent: "
_LAST = b"\nevent: turn.saved"
_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)
_SECONDS = 120.0


class Reader(asyncio.Protocol):
    """GET /v1/turns/{id}/events, from the connection on."""

    def __init__(self, turn_id: str, after: int | None) -> None:
        loop = asyncio.get_running_loop()
        last = b"" if after is None else b"last-event-id: %d\r\n" % after
        self._request = b"GET /v1/turns/%b/events HTTP/1.1\r\nhost: 127.0.0.1\r\n%b\r\n" % (
            turn_id.encode(),
            last,
        )
        self._received = bytearray()
        self._first: asyncio.Future[float] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._begun = perf_counter()
        self.last_at = 0.0
        """When `turn.saved` had come."""

    @classmethod
    async def opened(cls, port: int, turn_id: str, after: int | None = None) -> "Reader":
        loop = asyncio.get_running_loop()
        _, reader = await loop.create_connection(lambda: cls(turn_id, after), "127.0.0.1", port)
        return reader

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods alone.
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        seen = max(0, len(self._received) - len(_LAST))
        self._received += data
        if not self._first.done() and self._received.find(_EVENT, seen) >= 0:
            self._first.set_result(perf_counter() - self._begun)
        if not self.last_at and self._received.find(_LAST, seen) >= 0:
            self.last_at = perf_counter()
        if data.endswith(_END) and not self._ended.done():
            self._ended.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self._first, self._ended):
            if not future.done():
                future.set_exception(RuntimeError(f"the stream broke: {self._received[:300]!r} {error}"))
                future.exception()  # Reads it, so that asyncio does not warn where nothing waits for it.

    async def first_seconds(self) -> float:
        """Seconds from the opening of the connection until an event was there."""
        async with asyncio.timeout(_SECONDS):
            return await asyncio.shield(self._first)

    async def until_ended(self) -> None:
        async with asyncio.timeout(_SECONDS):
            await asyncio.shield(self._ended)

    def close(self) -> None:
        self._transport.close()

    def check(self, first: int, *, last: int | None = None) -> int:
        """The number of events; raises RuntimeError where one is missing, comes twice or out of order."""
        indices = [int(found) for found in _ID.findall(self._received)]
        if not indices or indices != list(range(first, first + len(indices))):
            raise RuntimeError(f"events {indices} from {first} on: {self._received[:500]!r}")
        if last is not None and indices[-1] != last:
            raise RuntimeError(f"the last event is {indices[-1]}, not {last}")
        return len(indices)
