"""Server-sent events: the bytes of a turn's stream."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

from litestar import Request
from litestar.response import Stream
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.status_codes import HTTP_200_OK
from litestar.types import Receive, Send

from services.gateway.live.joining import Frame
from services.gateway.live.ports import Reader
from shared.process import metrics

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
HEARTBEAT = b": still here\n\n"
_FAREWELL = b"retry: 500\n: this gateway stops; come back with Last-Event-ID\n\n"
OnLeft = Callable[[], Awaitable[None]]


def event_bytes(frames: Iterable[Frame]) -> bytes:
    return b"".join(
        b"id: %d\nevent: %b\ndata: %b\n\n" % (frame.index, frame.type.encode(), frame.body)
        for frame in frames
    )


async def event_stream(
    follow: AbstractAsyncContextManager[Reader], heartbeat_seconds: float, first: Sequence[Frame] = ()
) -> AsyncGenerator[bytes, None]:
    """Yields one chunk for all events that are there, and a comment where none came for a while."""
    with metrics.sse_readers.track_inprogress():
        async with follow as reader:
            if first:
                yield event_bytes(first)
            while not reader.ended:
                run = await reader.read(heartbeat_seconds)
                if run:
                    yield event_bytes(run)
                elif not reader.ended:
                    yield HEARTBEAT


class OpenStreams:
    """Makes event streams, and knows those that are being sent: a stop sends their readers elsewhere."""

    def __init__(self, *, heartbeat_seconds: float) -> None:
        self.are_stopping = False
        self.heartbeat_seconds = heartbeat_seconds
        self._sending: set[asyncio.Task[None]] = set()

    def response(
        self,
        follow: AbstractAsyncContextManager[Reader],
        first: Sequence[Frame] = (),
        on_left: OnLeft | None = None,
    ) -> "EventStream":
        """`first` was read already. `on_left` is called where the reader leaves before the end."""
        return EventStream(event_stream(follow, self.heartbeat_seconds, first), self, on_left)

    def stop(self) -> None:
        """Tells each reader to come back, and ends its response in good order."""
        self.are_stopping = True
        for task in self._sending:
            task.cancel()

    async def send(self, sending: asyncio.Task[None], leaving: asyncio.Task[None]) -> bool:
        """Returns True where the reader left before the end. Raises what the sending raised."""
        self._sending.add(sending)
        if self.are_stopping:
            sending.cancel()
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            left = not sending.done()
        finally:
            self._sending.discard(sending)
            leaving.cancel()
            sending.cancel()
            outcome, _ = await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome
        return left


class EventStream(Stream):
    """Litestar's streaming response, with another way to notice that its reader leaves."""

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        streams: OpenStreams,
        on_left: OnLeft | None = None,
        *,
        farewell: bytes = _FAREWELL,
        headers: Mapping[str, str] = {},
    ) -> None:
        """`farewell` is sent where the gateway stops before the end."""
        sent = _HEADERS | dict(headers)
        super().__init__(events, status_code=HTTP_200_OK, media_type="text/event-stream", headers=sent)
        self.events = events
        self.streams = streams
        self.on_left = on_left
        self.farewell = farewell

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **more: Any) -> ASGIResponse:
        sent = _Sent(
            iterator=self.events,
            status_code=self.status_code,
            media_type=self.media_type,
            headers=self.headers,
        )
        sent.streams, sent.on_left, sent.farewell = self.streams, self.on_left, self.farewell
        return sent


class _Sent(ASGIStreamingResponse):
    streams: OpenStreams
    on_left: OnLeft | None
    farewell: bytes

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Sends with two plain tasks: Litestar's task group costs a quarter of what a turn costs here."""
        sending = asyncio.create_task(self._send_events(send))
        leaving = asyncio.create_task(until_left(receive))
        left = await self.streams.send(sending, leaving)
        if left and self.on_left is not None:
            await self.on_left()
        if sending.cancelled() and not left:
            await send({"type": "http.response.body", "body": self.farewell, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        events: Any = self.iterator
        async with aclosing(events):
            async for chunk in events:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
