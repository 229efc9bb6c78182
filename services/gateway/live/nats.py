"""The live streams of turns over NATS."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import nats.errors

from services.gateway.live.joining import Joining, frames_in_order
from services.gateway.live.nats_reader import BusReader
from shared.bus.connection import Bus
from shared.bus.replay import Stored, replay
from shared.bus.streams import LIVE
from shared.contract.errors import Poison
from shared.contract.events import AnyLiveEvent, Queued, decode_live, live_subject

_PAGE = 256
_FIRST = 16
_WATCH_SECONDS = 0.25


class BusLiveTurns:
    """LiveTurns over a bus. A slow reader holds at most about `buffer_events` events."""

    def __init__(self, bus: Bus, *, buffer_events: int) -> None:
        self._bus = bus
        self._buffer_events = buffer_events
        self._readers: set[BusReader] = set()

    async def events(self, turn_id: str) -> list[AnyLiveEvent]:
        async with aclosing(self._replay(turn_id, _PAGE)) as pages:
            bodies = [stored.body async for page in pages for stored in page]
        events = (_event_of(frame.body) for frame in frames_in_order(bodies))
        return [event for event in events if event is not None]

    async def owner(self, turn_id: str) -> str | None:
        async with aclosing(self._replay(turn_id, _FIRST)) as pages:
            # `turn.queued` is one of the first events, or it has expired.
            first: list[Stored] = await anext(pages, [])
        events = map(_event_of, (stored.body for stored in first))
        return next((event.user for event in events if isinstance(event, Queued)), None)

    @asynccontextmanager
    async def follow(
        self, turn_id: str, user: str, *, after: int, from_the_start: bool
    ) -> AsyncIterator[BusReader]:
        reader = BusReader(self._bus, turn_id, user, Joining(after), self._buffer_events, not from_the_start)
        subscription = await self._bus.connection.subscribe(live_subject(turn_id), cb=reader.take)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            await reader.close()
            if not self._bus.connection.is_closed:
                with suppress(nats.errors.Error):  # Draining: the subscription ends with the connection.
                    await subscription.unsubscribe()

    async def watch_connection(self) -> None:
        """Runs as long as the process. What is sent while the connection is away reaches no subscription."""
        known = self._reconnects()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if (now := self._reconnects()) != known:
                known = now
                for reader in self._readers:
                    reader.look()

    def _reconnects(self) -> int:
        return int(self._bus.connection.stats["reconnects"])

    def _replay(self, turn_id: str, page: int) -> AsyncGenerator[list[Stored], None]:
        return replay(self._bus, str(LIVE.name), live_subject(turn_id), page=page)


def _event_of(body: bytes) -> AnyLiveEvent | None:
    """Returns None for an event of a later version."""
    try:
        return decode_live(body)
    except Poison:
        return None
