"""Clients that send slowly, or stop in the middle, hold no place for long, and no other client up."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.bus.connection import Bus
from shared.process.slow_clients import LEAST_BODY_BYTES, MOST_HEAD_BYTES
from tests.contracts.gateway.gateway_room import Client, gateway_over_http
from tests.contracts.gateway.raw_http import ANSWER_SECONDS, KEY, Connection, answer_to, connected, post

HEAD = b"POST /v1/imports HTTP/1.1\r\nhost: 127.0.0.1\r\n" + KEY


@pytest.fixture
async def impatient(bus: Bus) -> AsyncIterator[Client]:
    """A gateway that waits for 2 s."""
    async with gateway_over_http(bus, hold_seconds=0.0, client_silence_seconds=2.0) as client:
        yield client


async def until_closed(connection: Connection, *, drip: bytes = b"") -> bytes:
    """Sends `drip` again and again. Returns what was answered before the gateway closed the connection."""
    reader, writer = connection
    reading = asyncio.create_task(reader.read())
    async with asyncio.timeout(ANSWER_SECONDS):
        while not reading.done():
            writer.write(drip)
            await asyncio.wait({reading}, timeout=0.1)
    return b"" if reading.exception() else reading.result()


@pytest.mark.parametrize(
    ("begun", "drip"),
    [
        (b"", b""),
        (b"GET /v1/mo", b""),
        (b"GET /v1/models HTTP/1.1\r\n", b"x-a: b\r\n"),
        (HEAD + b"content-length: 1000\r\n\r\n", b""),
        (HEAD + b"content-length: 1000000\r\n\r\n", b"x"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["nothing", "half a line", "headers without end", "no body", "a byte at a time", "chunk by chunk"],
)
async def test_a_request_that_does_not_come_is_waited_for_a_while_and_no_longer(
    impatient: Client, begun: bytes, drip: bytes
) -> None:
    async with connected(impatient) as connection:
        connection[1].write(begun)
        closing = asyncio.create_task(until_closed(connection, drip=drip))
        status, _, _ = await answer_to(impatient, post("/v1/nothing", b""))

        assert status == 404
        await closing


async def test_a_body_that_comes_slowly_but_steadily_is_taken(impatient: Client) -> None:
    pieces = 12
    async with connected(impatient) as (reader, writer):
        writer.write(HEAD + b"connection: close\r\n")
        writer.write(f"content-length: {pieces * 4 * LEAST_BODY_BYTES}\r\n\r\n".encode())
        for _ in range(pieces):
            writer.write(b" " * 4 * LEAST_BODY_BYTES)
            await asyncio.sleep(0.4)
        async with asyncio.timeout(ANSWER_SECONDS):
            assert (await reader.read()).startswith(b"HTTP/1.1 ")


async def test_a_connection_between_two_requests_is_no_slow_one(impatient: Client) -> None:
    request = b"GET /v1/nothing HTTP/1.1\r\nhost: 127.0.0.1\r\n" + KEY + b"\r\n"
    async with connected(impatient) as (reader, writer):
        for _ in range(2):
            writer.write(request)
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            await asyncio.sleep(2.5)


async def test_a_head_that_is_too_long_is_refused(impatient: Client) -> None:
    async with connected(impatient) as connection:
        connection[1].write(b"GET /v1/models HTTP/1.1\r\nx-long: ")

        answer = await until_closed(connection, drip=b"x" * (MOST_HEAD_BYTES // 2))

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), "the client may still be sending"
