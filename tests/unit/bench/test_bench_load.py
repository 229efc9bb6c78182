"""The bench's own client reads both forms of an answer to their end, and says who asks."""

import asyncio
from collections.abc import Sequence

import pytest

from bench.running.load import Client
from tests.servers.ports import free_ports

CHUNKED = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"6\r\ntoken \r\n", b"0\r\n\r\n"]
WITH_LENGTH = [b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 12\r\n\r\ntoken ", b"token "]


@pytest.mark.parametrize(("parts", "tokens"), [(CHUNKED, 1), (WITH_LENGTH, 2)])
async def test_an_answer_is_read_to_its_end(parts: Sequence[bytes], tokens: int) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"{}"))
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)  # Each part arrives alone.
        await reader.read()  # It is the client that ends the connection.
        writer.close()

    (port,) = free_ports(1)
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        client = await Client.connected(port, b"token ", "a-key")
        got = await client.post("/", {})
        client.close()

    assert got.body == b"".join(parts)
    assert got.body.count(b"token ") == tokens
    assert b"authorization: Bearer a-key\r\n" in asked[0]
