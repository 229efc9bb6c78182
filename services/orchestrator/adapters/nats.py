"""Memory, model and announcements over the bus."""

from collections.abc import Sequence
from contextlib import aclosing

from shared.bus import Bus
from shared.errors import Transient
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


class BusMemory:
    """Memory at the indexer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def search(self, user: str, query: str, *, limit: int) -> list[Hit]:
        return (await self._bus.ask(Search(user=user, query=query, limit=limit))).hits

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        return (await self._bus.ask(Neighbours(user=user, turn_ids=list(turn_ids)))).turns

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        reply = await self._bus.ask(ListTurns(user=user, session_id=session_id, limit=limit))
        return reply.turns[::-1]


class BusModel:
    """Model at any inference worker."""

    def __init__(self, bus: Bus, *, silence_seconds: float) -> None:
        self._bus = bus
        self._silence = silence_seconds

    async def generate(self, request: Generate) -> Generated:
        ended = False
        try:
            answers = self._bus.ask_and_follow(request, StillGenerating, silence_seconds=self._silence)
            async with aclosing(answers):
                async for answer in answers:
                    if isinstance(answer, Generated):
                        ended = True
                        return answer
            raise Transient("the engine ended without an answer")
        finally:
            if not ended:  # Cancelled, timed out or lost: the engine must not go on for nobody.
                await self._bus.broadcast(Abort.subject, Abort(request_id=request.request_id))
