"""HTTP/1.1 over one connection a request. It imports in a tenth of the time that aiohttp takes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import h11

_READ_BYTES: Final = 64 * 1024
_LONGEST_LINE_BYTES: Final = 4 * 1024 * 1024
_CONNECT_SECONDS: Final = 5.0
_CONTINUE_SECONDS: Final = 3.0
"""How long the server may take to allow a body. Some never do, and expect it all the same."""


class HttpError(Exception):
    """No whole answer came."""


class NoConnection(HttpError):
    """No server listens there."""


class Body:
    """What is sent with a request. `size`: in bytes; None where it is not known before."""

    def __init__(
        self, pieces: Iterable[bytes], size: int | None, media_type: str, *, is_large: bool = False
    ) -> None:
        """`is_large`: the server is asked whether it takes the body, before that is sent."""
        self.pieces = pieces
        self.is_large = is_large
        length = ("Transfer-Encoding", "chunked") if size is None else ("Content-Length", str(size))
        self.headers = dict([length, ("Content-Type", media_type)])
        if is_large:
            self.headers["Expect"] = "100-continue"


class Answer:
    """An answer whose body is still to come."""

    def __init__(self, wire: "_Wire", status: int) -> None:
        self._wire = wire
        self.status = status

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yields the body as it comes."""
        while not isinstance(event := await self._wire.receive(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])

    async def lines(self) -> AsyncIterator[bytes]:
        """Yields the lines of the body with their ends."""
        begun = b""
        async for piece in self.pieces():
            *whole, begun = (begun + piece).split(b"\n")
            for line in whole:
                yield line + b"\n"
            if len(begun) > _LONGEST_LINE_BYTES:
                raise HttpError(f"a line has more than {_LONGEST_LINE_BYTES} bytes")
        if begun:
            yield begun


@asynccontextmanager
async def request(
    method: str, url: str, headers: dict[str, str], body: Body | None, *, silence: float | None
) -> AsyncIterator[Answer]:
    """Gives the answer, to be read inside the block. `silence`: the longest wait for a next byte, in seconds.

    Raises HttpError, and TimeoutError after a silence.
    """
    address = urlsplit(url)
    reader, writer = await _connection(address)
    wire = _Wire(reader, writer, silence)
    try:
        target = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
        host = {"Host": address.netloc.rpartition("@")[2]}
        await wire.send(
            h11.Request(method=method, target=target, headers=_encoded(host | headers | _headers_of(body)))
        )
        yield Answer(wire, await _status(wire, body))
    except TimeoutError:  # It is an OSError as well.
        raise
    except (OSError, h11.ProtocolError) as error:
        raise HttpError(str(error) or type(error).__name__) from error
    finally:
        writer.close()


def _headers_of(body: Body | None) -> dict[str, str]:
    return {} if body is None else body.headers


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _connection(address: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    is_secure = address.scheme == "https"
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return await asyncio.open_connection(
                address.hostname, address.port or (443 if is_secure else 80), ssl=is_secure or None
            )
    except (OSError, TimeoutError, ValueError) as error:  # ValueError: of a port that is no number.
        raise NoConnection(str(error) or "no connection in time") from error


async def _status(wire: "_Wire", body: Body | None) -> int:
    """Sends the body, and returns the status of the answer, which may come before all is sent."""
    if body is not None and body.is_large:
        with suppress(TimeoutError):
            async with asyncio.timeout(_CONTINUE_SECONDS):
                if isinstance(event := await wire.receive(), h11.Response):
                    return event.status_code
    sending = asyncio.create_task(_send(wire, body))
    try:
        while not isinstance(event := await wire.receive(), h11.Response):
            pass
        return event.status_code
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)  # A server that refuses may close meanwhile.


async def _send(wire: "_Wire", body: Body | None) -> None:
    for piece in () if body is None else body.pieces:
        await wire.send(h11.Data(data=piece))
    await wire.send(h11.EndOfMessage())


class _Wire:
    """Events of HTTP on a connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silence: float | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._silence = silence
        self._http = h11.Connection(h11.CLIENT)

    async def send(self, event: Any) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def receive(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(self._silence):
                self._http.receive_data(await self._reader.read(_READ_BYTES))
        if isinstance(event, h11.ConnectionClosed):
            raise HttpError("the connection was closed before an answer came")
        return event
