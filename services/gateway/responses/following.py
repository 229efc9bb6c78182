"""The events of a response, from those of its turn as they come."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from services.gateway.live.ports import Reader
from services.gateway.live.sse import HEARTBEAT
from services.gateway.openai.answers import read_events
from services.gateway.responses.events import ResponseEvent, ResponseEvents, event_bytes

FAREWELL: Final = b": this gateway stops; go on with GET, stream=true and starting_after\n\n"
"""The end of a stream whose gateway stops. It is no event: that would need a number."""


async def following(
    events: ResponseEvents, reader: Reader, silence_seconds: float
) -> AsyncGenerator[list[ResponseEvent], None]:
    """Yields the events as they come, and an empty list after a silence. `reader` begins with the first."""
    yield events.begin()
    while not (events.has_ended or reader.ended):
        frames = await reader.read(silence_seconds)
        made = [one for event in read_events(frames) for one in events.take(event)]
        if made or not frames:
            yield made
    if not events.has_ended:
        yield [events.error(None, "the turn has ended, and its events are not stored any more")]


async def as_bytes(
    parts: AsyncGenerator[list[ResponseEvent], None], after: int = -1
) -> AsyncGenerator[bytes, None]:
    """`after`: the number of the last event that the client has."""
    async with aclosing(parts):
        async for made in parts:
            if not made:
                yield HEARTBEAT
            elif chunk := b"".join(event_bytes(one) for one in made if one.sequence_number > after):
                yield chunk
