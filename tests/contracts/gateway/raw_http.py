"""HTTP as bytes over a socket, as no client library would send it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.contracts.gateway.gateway_room import KEYS, Client

ANSWER_SECONDS = 30.0
KEY = f"x-api-key: {KEYS['alice']}\r\n".encode()
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(client: Client) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(client.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def post(path: str, body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    """A request that closes its connection. `length`: what it says of the body, where that is not so."""
    said = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1".encode(), b"host: 127.0.0.1", b"connection: close", *headers]
    lines.append(f"content-length: {said}".encode())
    return b"\r\n".join(lines) + b"\r\n" + KEY + b"\r\n" + body


async def answer_to(client: Client, request: bytes, *, ends: bool = False) -> tuple[int, bytes, bytes]:
    """(status, head, body); status 0 where the connection was closed without an answer.

    `ends`: the client sends nothing more, and says so.
    """
    async with connected(client) as (reader, writer):
        with suppress(OSError):
            writer.write(request)
            await writer.drain()
            if ends:
                writer.write_eof()
        async with asyncio.timeout(ANSWER_SECONDS):
            with suppress(OSError):
                whole = await reader.read()
                head, _, body = whole.partition(b"\r\n\r\n")
                return (int(head.split(b" ", 2)[1]) if head else 0), head, body
    return 0, b"", b""
