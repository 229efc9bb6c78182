"""Server-sent events: the bytes of a turn's stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager

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
) -> AsyncIterator[bytes]:
    """One chunk for all events that are there; a comment where none came for a while."""
    with metrics.sse_readers.track_inprogress():
        async with follow as runs:
            async for run in runs:
                yield event_bytes(run) if run else _HEARTBEAT
