"""Memory, model and announcements over the bus."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import nats.errors
from nats.js.errors import NotFoundError

from shared.bus import Bus
from shared.errors import Transient
from shared.events import AnyLiveEvent, decode_live, live_subject
from shared.replies import (
    Abort,
    Generate,
    Generated,
    Hit,
    ListTurns,
    Neighbours,
    Search,
    StillGenerating,
    TurnRow,
)
from shared.streams import LIVE

_ABORT_SECONDS = 1.0


class BusMemory:
    """Memory at the indexer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def search(self, user: str, query: str, *, limit: int) -> list[Hit]:
        return (await self._bus.ask(Search(user=user, query=query, limit=limit, without_echoes=True))).hits

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        return (await self._bus.ask(Neighbours(user=user, turn_ids=list(turn_ids)))).turns

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        reply = await self._bus.ask(ListTurns(user=user, session_id=session_id, limit=limit))
        return reply.turns[::-1]


class BusAnnouncements:
    """Announcements on the turn's subject, counted by what the LIVE stream keeps of it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        await self._bus.emit(turn_id, event)

    async def next_index(self, turn_id: str) -> int:
        try:
            last = await self._bus.jetstream.get_last_msg(str(LIVE.name), live_subject(turn_id), direct=True)
        except NotFoundError:
            return 0
        except (nats.errors.Error, TimeoutError) as error:
            raise Transient("NATS does not give the turn's events now") from error
        return decode_live(last.data or b"").index + 1


class BusModel:
    """Model at any inference worker."""

    def __init__(self, bus: Bus, *, silence_seconds: float) -> None:
        self._bus = bus
        self._silence = silence_seconds

    async def generate(self, request: Generate) -> Generated:
        following = asyncio.create_task(self._follow(request))
        try:
            return await asyncio.shield(following)
        except BaseException:  # Cancelled, timed out or lost: the engine must not go on for nobody.
            await self._bus.broadcast(Abort.subject, Abort(request_id=request.request_id))
            # Once it has answered, no more of its text comes behind what is announced next.
            await asyncio.wait({following}, timeout=_ABORT_SECONDS)
            following.cancel()
            raise

    async def _follow(self, request: Generate) -> Generated:
        answers = self._bus.ask_and_follow(request, StillGenerating, silence_seconds=self._silence)
        async with aclosing(answers):
            async for answer in answers:
                if isinstance(answer, Generated):
                    return answer
        raise Transient("the engine ended without an answer")
