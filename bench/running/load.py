"""The load: many clients in one process, each on one kept connection, counting tokens in raw bytes.

The same client reads both sides of a comparison, and it is cheap: a response is whole when its last chunk has
come, and is looked into only then.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import cast

import msgspec

_END = b"0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SECONDS_A_REQUEST = 60.0


class Answer(msgspec.Struct, frozen=True):
    """One response, read to its end."""

    first_seconds: float
    """From the request until `marker` was there."""
    seconds: float
    body: bytes
    """With the chunk sizes in it."""


class Client(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, marker: bytes, key: str = "") -> None:
        self._marker = marker
        self._authorization = f"authorization: Bearer {key}\r\n".encode() if key else b""
        self._received = bytearray()
        self._ended: asyncio.Future[Answer] | None = None
        self._started = 0.0
        self._first = 0.0

    @classmethod
    async def connected(cls, port: int, marker: bytes, key: str = "") -> "Client":
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(marker, key), "127.0.0.1", port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods alone.

    async def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """Raises RuntimeError where the answer is no 200."""
        content = json.dumps(body).encode()
        self._received.clear()
        self._first = 0.0
        self._ended = asyncio.get_running_loop().create_future()
        self._started = perf_counter()
        self._transport.write(
            b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n%b"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (path.encode(), self._authorization, len(content), content)
        )
        answer = await asyncio.wait_for(self._ended, _SECONDS_A_REQUEST)
        if not answer.body.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.body[:500].decode(errors="replace"))
        return answer

    def data_received(self, data: bytes) -> None:
        seen = len(self._received)
        self._received += data
        if not self._first and self._received.find(self._marker, max(0, seen - len(self._marker))) >= 0:
            self._first = perf_counter() - self._started
        refused = not self._received.startswith(b"HTTP/1.1 200") and len(self._received) > 12
        if (refused or self._is_whole()) and self._ended is not None and not self._ended.done():
            seconds = perf_counter() - self._started
            self._ended.set_result(Answer(self._first or seconds, seconds, bytes(self._received)))

    def _is_whole(self) -> bool:
        """By its last chunk, or by the length that its head tells."""
        if self._received.endswith(_END):
            return True
        head = self._received.find(b"\r\n\r\n")
        told = _LENGTH.search(self._received, 0, max(0, head))
        return told is not None and len(self._received) >= head + 4 + int(told[1])

    def connection_lost(self, error: Exception | None) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(RuntimeError(f"the connection was closed: {error}"))

    def close(self) -> None:
        self._transport.close()


class Load(msgspec.Struct, frozen=True):
    """What came back of many requests."""

    answers: list[Answer]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.answers) / self.seconds


async def load(
    port: int,
    path: str,
    bodies: Iterator[Mapping[str, object]],
    *,
    requests: int,
    concurrent: int,
    marker: bytes,
    key: str = "",
) -> Load:
    """`requests` in all, `concurrent` at a time."""
    clients = [await Client.connected(port, marker, key) for _ in range(concurrent)]
    answers: list[Answer] = []
    left = iter(range(requests))

    async def run(client: Client) -> None:
        for _ in left:
            answers.append(await client.post(path, next(bodies)))

    start = perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(run(client))
        return Load(answers, perf_counter() - start)
    finally:
        for client in clients:
            client.close()
