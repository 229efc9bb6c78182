"""Turns and their live streams over the bus."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TypeVar

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg

from services.gateway.ports import Frame
from shared.bus import Bus
from shared.errors import Transient
from shared.events import AnyLiveEvent, Queued, TurnRequested, decode, decode_live, encode, live_subject
from shared.replies import Request
from shared.streams import LIVE, TURNS

R = TypeVar("R")
_REPLAY_SECONDS = 5.0
_GAP_SECONDS = 0.05
"""An event that was sent a moment ago may not be stored yet."""
_LOOKS_INTO_A_GAP = 4


class BusTurns:
    """Turns over JetStream and request/reply."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def accept(self, turn: TurnRequested) -> int:
        number = await self._bus.publish(turn)
        queued = Queued(
            index=0,
            turn_id=turn.turn_id,
            turn_number=number,
            session_id=turn.session_id,
            user=turn.user,
        )
        # The orchestrator says the same when it takes the turn; until then the turn can already be looked at.
        # Stored, not only sent: whoever asks for the turn right after its 202 must find it.
        with suppress(Transient):  # The turn is accepted all the same.
            await self._bus.store(live_subject(turn.turn_id), encode(queued), {})
        return number

    async def input_of(self, turn_number: int) -> str:
        try:
            message = await self._bus.jetstream.get_msg(str(TURNS.name), seq=turn_number)
        except (nats.js.errors.Error, nats.errors.Error, TimeoutError):
            return ""
        return decode(TurnRequested, message.data or b"").input

    async def ask(self, request: Request[R]) -> R:
        return await self._bus.ask(request)


class _Head(msgspec.Struct):
    """The part of a live event that a reader needs to pass it on."""

    type: str
    index: int


_head = msgspec.json.Decoder(_Head)


class BusLiveTurns:
    """LiveTurns over core NATS, with the LIVE stream for what was said before one listened."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def replay(self, turn_id: str) -> list[AnyLiveEvent]:
        frames = await self._stored(turn_id, after=-1)
        return [decode_live(frames[index].body) for index in sorted(frames)]

    @asynccontextmanager
    async def follow(
        self, turn_id: str, *, after: int, heartbeat_seconds: float, from_the_start: bool
    ) -> AsyncIterator[AsyncGenerator[list[Frame], None]]:
        arrived: asyncio.Queue[Frame] = asyncio.Queue()

        async def take(message: Msg) -> None:
            if (frame := _frame(message.data)) is not None:
                arrived.put_nowait(frame)

        subscription = await self._bus.connection.subscribe(live_subject(turn_id), cb=take)
        try:
            stored = {} if from_the_start else await self._stored(turn_id, after=after)
            events = self._events(turn_id, arrived, stored, after + 1, heartbeat_seconds)
            async with aclosing(events):
                yield events
        finally:
            if not self._bus.connection.is_closed:
                await subscription.unsubscribe()

    async def _events(
        self,
        turn_id: str,
        arrived: asyncio.Queue[Frame],
        pending: dict[int, Frame],
        wanted: int,
        heartbeat_seconds: float,
    ) -> AsyncGenerator[list[Frame], None]:
        """Joins what is stored and what arrives; `wanted` is the index that comes next."""
        looks = 0
        while True:
            run = []
            while wanted in pending:
                run.append(pending.pop(wanted))
                wanted += 1
            if run:
                looks = 0
                yield run
                if run[-1].is_last:
                    return
            elif pending and looks < _LOOKS_INTO_A_GAP:
                looks += 1
                await asyncio.sleep(_GAP_SECONDS)
                pending |= await self._stored(turn_id, after=wanted - 1)
            elif pending:
                wanted = min(pending)  # What is missing is gone from the store: go on with what there is.
            else:
                try:
                    async with asyncio.timeout(heartbeat_seconds):
                        pending = await _next(arrived, wanted)
                except TimeoutError:
                    yield []
                    pending = await self._stored(turn_id, after=wanted - 1)

    async def _stored(self, turn_id: str, *, after: int) -> dict[int, Frame]:
        """One direct request for all of the turn's stored events (a batched direct get)."""
        connection = self._bus.connection
        inbox = connection.new_inbox()
        subscription = await connection.subscribe(inbox)
        wanted = {"batch": 1_000_000, "seq": 1, "next_by_subj": live_subject(turn_id)}
        frames: dict[int, Frame] = {}
        try:
            await connection.publish(
                f"$JS.API.DIRECT.GET.{LIVE.name}", msgspec.json.encode(wanted), reply=inbox
            )
            while True:
                message = await subscription.next_msg(_REPLAY_SECONDS)
                if (message.headers or {}).get("Status"):
                    break  # 204: that was all; 404: there is nothing.
                frame = _frame(message.data)
                if frame is not None and frame.index > after:
                    frames.setdefault(frame.index, frame)
        except (nats.errors.Error, TimeoutError) as error:
            raise Transient("NATS does not give the turn's events now") from error
        finally:
            await subscription.unsubscribe()
        return frames


async def _next(arrived: asyncio.Queue[Frame], wanted: int) -> dict[int, Frame]:
    """Everything that has arrived and was not seen yet: at least one event."""
    frames: dict[int, Frame] = {}
    while not frames:
        first = await arrived.get()
        for frame in (first, *(arrived.get_nowait() for _ in range(arrived.qsize()))):
            if frame.index >= wanted:
                frames.setdefault(frame.index, frame)
    return frames


def _frame(body: bytes) -> Frame | None:
    """None for what is no live event: anybody may publish on the subject."""
    try:
        head = _head.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Frame(head.index, head.type, body)
