"""The commands' own HTTP client, against sockets that answer byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cli.client.http import Body, HttpError, NoConnection, request

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def says(*pieces: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    return serve


async def read(url: str, *, silence: float | None = None) -> tuple[int, list[bytes]]:
    async with request("GET", url, {}, None, silence=silence) as answer:
        return answer.status, [line async for line in answer.lines()]


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\none\ntwo\n",),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\non", b"\r\n6\r\ne\ntwo\n\r\n0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\no", b"ne\ntw", b"o\n"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\none\ntwo\n",),
    ],
)
async def test_a_body_comes_line_by_line_however_it_is_sent(pieces: tuple[bytes, ...]) -> None:
    async with listening(says(*pieces)) as url:
        assert await read(url) == (200, [b"one\n", b"two\n"])


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"HTTP/1.1 200 OK\r\nContent-Le",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\none\n",),
        (b"SSH-2.0-OpenSSH\r\n\r\n",),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(pieces: tuple[bytes, ...]) -> None:
    async with listening(says(*pieces)) as url:
        with pytest.raises(HttpError):
            await read(url)


async def test_a_silence_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(never) as url:
        with pytest.raises(TimeoutError):
            await read(url, silence=0.05)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:no", "http://nowhere.invalid"])
async def test_where_nothing_listens_that_is_said(url: str) -> None:
    with pytest.raises(NoConnection):
        await read(url)


async def test_an_answer_may_come_before_all_is_sent() -> None:
    """A gateway refuses a body that is too large, and reads no more of it."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    body = Body([b"x" * 1_000_000] * 50, 50_000_000, "text/plain")

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(refusal)(reader, writer)
        await asyncio.sleep(0.2)

    async with listening(refuse) as url, request("POST", url, {}, body, silence=5.0) as answer:
        assert (answer.status, await answer.read()) == (413, b"no")


@pytest.mark.parametrize("allows", [True, False])
async def test_a_large_body_is_sent_once_the_server_allows_it(allows: bool) -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if allows:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            received.append(await reader.readexactly(5))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    body = Body([b"hello"], 5, "text/plain", is_large=True)
    async with listening(serve) as url, request("POST", url, {}, body, silence=5.0) as answer:
        assert answer.status == 200
    assert received == ([b"hello"] if allows else [])
