"""What the indexer does with turns that have ended, and how it answers questions about what is stored."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.indexer.domain.history import is_history
from services.indexer.domain.messages import message_of_import, messages_of, point_id_of
from services.indexer.generation import Generation
from services.indexer.ports import MessageTable, TurnTable
from services.indexer.remembering import Remembering
from services.indexer.searching import MOST_HITS, checked_limit
from shared import metrics
from shared.errors import Refused
from shared.events import Event, TurnCancelled, TurnIndexed, TurnSaved
from shared.replies import (
    MOST_MESSAGES,
    Count,
    CountReply,
    ImportMessages,
    ImportReply,
    ListSessions,
    ListSessionsReply,
    ListTurns,
    ListTurnsReply,
    Neighbours,
    NeighboursReply,
)

_LARGEST_BIGINT = 2**63 - 1


class Indexer:
    """Keeps rows and points of what was said, rows of cancelled turns, and answers every list."""

    def __init__(
        self, turns: TurnTable, messages: MessageTable, remembering: Remembering, generation: Generation
    ) -> None:
        self._turns = turns
        self._messages = messages
        self._remembering = remembering
        self._generation = generation

    async def on_turns_saved(self, events: Sequence[TurnSaved]) -> Sequence[Event]:
        """One embedding call, one write to each store; writing a turn again changes nothing."""
        await self._remembering.add([message for event in events for message in messages_of(event)])
        # Rows of turns last: a turn is found as soon as it is listed.
        await self._turns.upsert(events)
        await self._count_uses(events)
        now = datetime.now(UTC)
        metrics.index_batch_turns.observe(len(events))
        for event in events:
            metrics.index_lag_seconds.observe(max(0.0, (now - event.saved_at).total_seconds()))
        return [
            TurnIndexed(
                turn_id=event.turn_id,
                turn_number=event.turn_number,
                session_id=event.session_id,
                user=event.user,
                indexed_at=now,
            )
            for event in events
        ]

    async def on_turn_cancelled(self, event: TurnCancelled) -> Sequence[Event]:
        """Kept for its session's history alone. Nobody is told `turn.indexed`: search never finds it."""
        if is_history(event):
            await self._turns.upsert([event])
        return []

    async def import_messages(self, request: ImportMessages) -> ImportReply:
        if len(request.messages) > MOST_MESSAGES:
            raise Refused(422, f"more than {MOST_MESSAGES} messages; send them in parts", "messages")
        added = await self._remembering.add([message_of_import(request.user, m) for m in request.messages])
        return ImportReply(new=added.new, changed=len(added.changed), known=added.known)

    async def _count_uses(self, events: Sequence[TurnSaved]) -> None:
        """What answers stood on before is a little likelier to be asked for again."""
        for event in events:
            used = {
                point_id_of(event.user, source.session_id, message_id)
                for source in event.sources
                for message_id in source.message_ids
            }
            if used:
                uses = await self._messages.used(event.user, sorted(used))
                await self._generation.indexes["turn"].set_uses(uses)

    async def list_turns(self, request: ListTurns) -> ListTurnsReply:
        limit = checked_limit(request.limit)
        if request.before is not None and not 0 < request.before <= _LARGEST_BIGINT:
            raise Refused(422, "before is no turn number; use the next_cursor of the last page", "before")
        turns = await self._turns.turns(
            request.user, session_id=request.session_id, before=request.before, limit=limit + 1
        )
        more = len(turns) > limit
        page = turns[:limit]
        return ListTurnsReply(turns=page, next_cursor=page[-1].turn_number if more else None)

    async def list_sessions(self, request: ListSessions) -> ListSessionsReply:
        return ListSessionsReply(
            sessions=await self._turns.sessions(request.user, limit=checked_limit(request.limit))
        )

    async def neighbours(self, request: Neighbours) -> NeighboursReply:
        return NeighboursReply(turns=await self._turns.neighbours(request.user, request.turn_ids[:MOST_HITS]))

    async def count(self, request: Count) -> CountReply:
        rows, highest = await self._turns.count()
        messages, unindexed = await self._messages.count()
        points = await self._generation.indexes["turn"].count()
        metrics.index_rows.set(messages)
        metrics.index_points.set(points)
        return CountReply(
            rows=rows, messages=messages, unindexed=unindexed, points=points, highest_turn_number=highest
        )
