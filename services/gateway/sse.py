"""Server-sent events: the bytes of a turn's stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

from litestar import Request
from litestar.response import Stream
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.status_codes import HTTP_200_OK
from litestar.types import Receive, Send

from services.gateway.ports import Frame
from shared import metrics

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_HEARTBEAT = b": still here\n\n"


def event_bytes(frames: Iterable[Frame]) -> bytes:
    return b"".join(
        b"id: %d\nevent: %b\ndata: %b\n\n" % (frame.index, frame.type.encode(), frame.body)
        for frame in frames
    )


async def event_stream(
    follow: AbstractAsyncContextManager[AsyncGenerator[list[Frame], None]],
) -> AsyncGenerator[bytes, None]:
    """One chunk for all events that are there; a comment where none came for a while."""
    with metrics.sse_readers.track_inprogress():
        async with follow as runs:
            async for run in runs:
                yield event_bytes(run) if run else _HEARTBEAT


class EventStream(Stream):
    """Litestar's streaming response, with another way to notice that the reader has left."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, status_code=HTTP_200_OK, media_type="text/event-stream", headers=HEADERS)
        self.events = events

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **more: Any) -> ASGIResponse:
        return _Sent(
            iterator=self.events, status_code=self.status_code, media_type=self.media_type, headers=HEADERS
        )


class _Sent(ASGIStreamingResponse):
    async def send_body(self, send: Send, receive: Receive) -> None:
        """Two plain tasks: Litestar's task group costs a quarter of all that the gateway does for a turn."""
        sending = asyncio.create_task(self._send_events(send))
        leaving = asyncio.create_task(_until_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            outcome, _ = await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome

    async def _send_events(self, send: Send) -> None:
        events: Any = self.iterator
        async with aclosing(events):
            async for chunk in events:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
