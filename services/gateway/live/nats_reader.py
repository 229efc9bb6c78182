"""A reader of one turn over NATS: core NATS has new events, the stream LIVE and the record earlier ones."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress

from nats.aio.msg import Msg

from services.gateway.live.joining import Frame, Joining, frame_of
from shared.bus.connection import Bus
from shared.bus.replay import Stored, replay
from shared.bus.streams import LIVE
from shared.contract.errors import Refused, Transient
from shared.contract.events import live_subject
from shared.contract.requests import GetEvents
from shared.process import metrics

_PAGE = 256
_GAP_SECONDS = 0.05
"""A new event may not be stored yet. Each look into a gap waits twice as long as the one before."""
_LOOKS_INTO_A_GAP = 2
"""So many, before the record of a turn that has ended is asked for what is missing."""
_RETRY_SECONDS = 0.25


class BusReader:
    """Reads one turn to its end, however slow its client is.

    Events that arrive wait in a buffer. Where it is full they are dropped, and the reader reads the stream
    LIVE, a page at a time, until it has caught up. It looks for what is missing there a few times. Then it
    waits until the turn has ended: the turn's record has every event.
    """

    def __init__(
        self, bus: Bus, turn_id: str, user: str, joining: Joining, buffer_events: int, lags: bool
    ) -> None:
        self._bus = bus
        self._turn_id = turn_id
        self._user = user
        self._joining = joining
        self._limit = buffer_events
        self._arrived: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._lags = lags
        """The stream LIVE has events that the reader does not have."""
        self._was_dropped = False
        self._pages: AsyncGenerator[list[Stored], None] | None = None
        self._next_sequence = 1
        self._look_at: float | None = None
        self._looks = 0
        self._asks_record = lags
        self._from_record = False
        self._waits_for_record = False
        """More events came after a gap than the buffer takes: only the record has them now."""
        self.ended = False

    async def take(self, message: Msg) -> None:
        """Takes a message that arrives."""
        if (frame := frame_of(message.data)) is None:
            return
        if len(self._arrived) < self._limit:
            self._arrived.append(frame)
        else:
            if not self._lags:
                metrics.sse_slow_readers.inc()
            self._lags = self._was_dropped = True
            while self._arrived:
                self._joining.note(self._arrived.popleft())
            self._joining.note(frame)
        self._news.set()

    def look(self) -> None:
        """Looks into the stream LIVE again: an event may be stored that did not arrive."""
        self._lags = True
        self._news.set()

    async def read(self, silence_seconds: float) -> list[Frame]:
        """Returns what comes next; nothing after that long without an event, or when `ended`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + silence_seconds
        while True:
            is_busy = self._lags or self._asks_record or self._from_record
            if run := await self._next_run():
                return run
            if self.ended:
                return []
            now = loop.time()
            if now >= until:
                self._lags = self._asks_record = True
                return []
            if self._look_at is not None and now >= self._look_at and not self._lags:
                self._look_into_gap(now, silence_seconds)
            elif not is_busy:
                await self._wait(until if self._look_at is None else min(until, self._look_at))

    async def close(self) -> None:
        if self._pages is not None:
            await self._pages.aclose()

    async def _next_run(self) -> list[Frame]:
        """Takes one step: from the record, from what arrived, or from the stream LIVE."""
        if self._from_record:
            return await self._read_record()
        if not self._lags:
            self._join_arrived()
        run = self._joining.take()
        if run or self._joining.is_over:
            self._looks, self._look_at, self._asks_record = 0, None, False
            self.ended = self._joining.is_over
            return run
        if self._lags:
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
        self._lags = True
        self._looks += 1
        self._look_at = now + min(_GAP_SECONDS * 2**self._looks, silence_seconds)
        self._asks_record = self._looks >= _LOOKS_INTO_A_GAP and self._joining.last is not None

    async def _wait(self, until: float) -> None:
        self._news.clear()
        if not self._arrived and not self._lags:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._news.wait()

    async def _read_page(self) -> None:
        """Reads the next page of the stream LIVE. While NATS does not answer, the reader waits."""
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
            await asyncio.sleep(_RETRY_SECONDS)
            return
        if page is None:
            self._pages = None
            self._lags = self._was_dropped
            return
        for stored in page:
            if (frame := frame_of(stored.body)) is not None:
                self._join(frame)
        self._next_sequence = page[-1].sequence + 1

    async def _read_record(self) -> list[Frame]:
        """Returns the next page of the turn's record; nothing where it has not ended, or no one answers."""
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
