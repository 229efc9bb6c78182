"""The live streams of turns: core NATS for what comes, the LIVE stream and the record for what was."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import nats.errors
from nats.aio.msg import Msg

from services.gateway.domain.joining import Frame, Joining, frame_of, frames_in_order
from shared import metrics
from shared.bus import Bus
from shared.errors import Poison, Refused, Transient
from shared.events import AnyLiveEvent, Queued, decode_live, live_subject
from shared.replay import Stored, replay
from shared.replies import GetEvents
from shared.streams import LIVE

_PAGE = 256
_FIRST = 16
_GAP_SECONDS = 0.05
"""An event that was sent a moment ago may not be stored yet. Each look into a gap waits twice as long."""
_LOOKS_INTO_A_GAP = 2
"""Before the record is asked for what is missing of a turn that has ended."""
_WATCH_SECONDS = 0.25


class BusLiveTurns:
    """LiveTurns over a bus. Each reader holds at most about `buffer_events` events, however slow it is."""

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
            first: list[Stored] = await anext(pages, [])  # It is among the first, or it has expired.
        events = map(_event_of, (stored.body for stored in first))
        return next((event.user for event in events if isinstance(event, Queued)), None)

    @asynccontextmanager
    async def follow(
        self, turn_id: str, user: str, *, after: int, from_the_start: bool
    ) -> AsyncIterator["BusReader"]:
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
        """Runs as long as the process: what is sent while the connection is away reaches no subscription."""
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


class BusReader:
    """One reader of one turn.

    What arrives waits in a buffer. Where that is full it is dropped, and the reader goes on from the LIVE
    stream, a page at a time, until it has caught up. What is missing there is looked for a few times, and
    then waited for until the turn has ended: its record has every event.
    """

    def __init__(
        self, bus: Bus, turn_id: str, user: str, joining: Joining, buffer_events: int, is_behind: bool
    ) -> None:
        self._bus = bus
        self._turn_id = turn_id
        self._user = user
        self._joining = joining
        self._limit = buffer_events
        self._arrived: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._is_behind = is_behind
        """The LIVE stream holds what was not read yet."""
        self._was_dropped = False
        self._pages: AsyncGenerator[list[Stored], None] | None = None
        self._next_sequence = 1
        self._look_at: float | None = None
        self._looks = 0
        self._asks_record = is_behind
        self._from_record = False
        self._waits_for_record = False
        """More stood behind a gap than is held: only the record can tell it now."""
        self.ended = False

    async def take(self, message: Msg) -> None:
        """Called with each message that arrives."""
        if (frame := frame_of(message.data)) is None:
            return
        if len(self._arrived) < self._limit:
            self._arrived.append(frame)
        else:
            if not self._is_behind:
                metrics.sse_slow_readers.inc()
            self._is_behind = self._was_dropped = True
            while self._arrived:
                self._joining.note(self._arrived.popleft())
            self._joining.note(frame)
        self._news.set()

    def look(self) -> None:
        """Something may be stored that did not arrive."""
        self._is_behind = True
        self._news.set()

    async def read(self, silence_seconds: float) -> list[Frame]:
        """What comes next; empty after that long without anything, or when `ended`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + silence_seconds
        while True:
            is_busy = self._is_behind or self._asks_record or self._from_record
            if run := await self._next_run():
                return run
            if self.ended:
                return []
            now = loop.time()
            if now >= until:
                self._is_behind = self._asks_record = True
                return []
            if self._look_at is not None and now >= self._look_at and not self._is_behind:
                self._look_into_gap(now, silence_seconds)
            elif not is_busy:
                await self._wait(until if self._look_at is None else min(until, self._look_at))

    async def close(self) -> None:
        if self._pages is not None:
            await self._pages.aclose()

    async def _next_run(self) -> list[Frame]:
        """One step: from the record, from what is here, or from the LIVE stream."""
        if self._from_record:
            return await self._read_record()
        if not self._is_behind:
            self._join_arrived()
        run = self._joining.take()
        if run or self._joining.is_over:
            self._looks, self._look_at, self._asks_record = 0, None, False
            self.ended = self._joining.is_over
            return run
        if self._is_behind:
            await self._read_page()
        elif self._asks_record:
            self._asks_record = False
            return await self._read_record()
        elif self._joining.has_gap and self._look_at is None:
            self._look_at = asyncio.get_running_loop().time() + _GAP_SECONDS
        return []

    def _join_arrived(self) -> None:
        while self._arrived:
            self._join(self._arrived.popleft())

    def _join(self, frame: Frame) -> None:
        if self._waits_for_record:
            self._joining.note(frame)
            return
        self._joining.add(frame)
        if len(self._joining.pending) > self._limit + _PAGE and self._joining.has_gap:
            self._joining.forget()
            self._waits_for_record = True

    def _look_into_gap(self, now: float, silence_seconds: float) -> None:
        self._is_behind = True
        self._looks += 1
        self._look_at = now + min(_GAP_SECONDS * 2**self._looks, silence_seconds)
        self._asks_record = self._looks >= _LOOKS_INTO_A_GAP and self._joining.last is not None

    async def _wait(self, until: float) -> None:
        self._news.clear()
        if not self._arrived and not self._is_behind:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._news.wait()

    async def _read_page(self) -> None:
        """What the LIVE stream holds next. While NATS does not give it, the reader waits."""
        if self._pages is None:
            self._was_dropped = False
            self._pages = replay(
                self._bus,
                str(LIVE.name),
                live_subject(self._turn_id),
                first_sequence=self._next_sequence,
                page=_PAGE,
            )
        try:
            page = await anext(self._pages, None)
        except Transient:
            self._pages = None
            await asyncio.sleep(_WATCH_SECONDS)
            return
        if page is None:
            self._pages = None
            self._is_behind = self._was_dropped
            return
        for stored in page:
            if (frame := frame_of(stored.body)) is not None:
                self._join(frame)
        self._next_sequence = page[-1].sequence + 1

    async def _read_record(self) -> list[Frame]:
        """The next page of the turn's record; nothing where it has not ended, or nobody answers."""
        try:
            reply = await self._bus.ask(
                GetEvents(user=self._user, turn_id=self._turn_id, after=self._joining.wanted - 1)
            )
        except (Refused, Transient):
            self._from_record = False
            return []
        wanted = self._joining.wanted
        frames = [frame for frame in map(frame_of, reply.events) if frame and frame.index >= wanted]
        self._from_record = reply.more and bool(frames)
        self.ended = not self._from_record
        if frames:
            self._joining.wanted = frames[-1].index + 1
        return frames


def _event_of(body: bytes) -> AnyLiveEvent | None:
    """None for what a later version may send."""
    try:
        return decode_live(body)
    except Poison:
        return None
