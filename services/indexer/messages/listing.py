"""Lists turns and sessions, and counts what is stored."""

import asyncio
from contextlib import suppress

from services.indexer.generations.writing import Generation
from services.indexer.messages.tables import MessageTable, TurnTable
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused, Transient
from shared.contract.requests import (
    MOST_HITS,
    Count,
    CountReply,
    ListConversations,
    ListConversationsReply,
    ListSessions,
    ListSessionsReply,
    ListTurns,
    ListTurnsReply,
    Neighbours,
    NeighboursReply,
    checked_limit,
)
from shared.process import metrics

_LARGEST_BIGINT = 2**63 - 1


class Listing:
    """Answers every list of turns."""

    def __init__(self, turns: TurnTable, messages: MessageTable, generation: Generation) -> None:
        self._turns = turns
        self._messages = messages
        self._generation = generation

    @endpoint
    async def list_turns(self, request: ListTurns) -> ListTurnsReply:
        limit = checked_limit(request.limit)
        if request.before is not None and not 0 < request.before <= _LARGEST_BIGINT:
            raise Refused(
                422, f"before is {request.before}; it must be the next_cursor of the page before", "before"
            )
        turns = await self._turns.turns(
            request.user, session_id=request.session_id, before=request.before, limit=limit + 1
        )
        more = len(turns) > limit
        page = turns[:limit]
        return ListTurnsReply(turns=page, next_cursor=page[-1].turn_number if more else None)

    @endpoint
    async def list_sessions(self, request: ListSessions) -> ListSessionsReply:
        return ListSessionsReply(
            sessions=await self._turns.sessions(request.user, limit=checked_limit(request.limit))
        )

    @endpoint
    async def list_conversations(self, request: ListConversations) -> ListConversationsReply:
        limit = checked_limit(request.limit)
        found = await self._turns.conversations(
            request.user,
            session_id=request.session_id,
            before=None if request.before_at is None else (request.before_at, request.before_session),
            limit=limit + 1,
        )
        return ListConversationsReply(conversations=found[:limit], more=len(found) > limit)

    @endpoint
    async def neighbours(self, request: Neighbours) -> NeighboursReply:
        return NeighboursReply(turns=await self._turns.neighbours(request.user, request.turn_ids[:MOST_HITS]))

    @endpoint
    async def count(self, request: Count) -> CountReply:
        turns, texts = self._turns, self._messages
        rows, highest = await (turns.estimate() if request.estimate else turns.count())
        messages, unindexed = await (texts.estimate() if request.estimate else texts.count())
        points = await self._generation.indexes["turn"].count(exact=not request.estimate)
        metrics.index_rows.set(messages)
        metrics.index_points.set(points)
        return CountReply(
            rows=rows, messages=messages, unindexed=unindexed, points=points, highest_turn_number=highest
        )

    async def watch_counts(self, every_seconds: float) -> None:
        """Brings the metrics of rows and points up to date, until it is cancelled."""
        while True:
            with suppress(Transient):
                await self.count(Count(estimate=True))
            await asyncio.sleep(every_seconds)
