"""What the indexer does with turns that have ended, and how it answers questions about what is stored."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.indexer.domain.fusion import fuse
from services.indexer.domain.history import is_history
from services.indexer.domain.passages import passage_of
from services.indexer.ports import Embedder, TurnIndex, TurnTable
from shared import metrics
from shared.errors import Refused
from shared.events import Event, TurnCancelled, TurnIndexed, TurnSaved
from shared.replies import (
    Count,
    CountReply,
    Hit,
    ListSessions,
    ListSessionsReply,
    ListTurns,
    ListTurnsReply,
    Neighbours,
    NeighboursReply,
    Search,
    SearchReply,
)

MOST_HITS = 100
_LARGEST_BIGINT = 2**63 - 1
_CANDIDATES = 50
"""Asked of each of the two searches; more did not find more of the evidence."""


class Indexer:
    """Keeps rows and points of saved turns, rows of cancelled ones, and answers every read and search."""

    def __init__(self, table: TurnTable, index: TurnIndex, embedder: Embedder) -> None:
        self._table = table
        self._index = index
        self._embedder = embedder

    async def on_turns_saved(self, events: Sequence[TurnSaved]) -> Sequence[Event]:
        """One embedding call, one write to each store; writing a turn again changes nothing."""
        passages = [passage_of(event) for event in events]
        vectors = await self._embedder.embed([passage.text for passage in passages])
        # Rows last: search shows nothing without its row, so a turn is found as soon as it is listed.
        await self._index.upsert(passages, vectors)
        await self._table.upsert(events)
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
            await self._table.upsert([event])
        return []

    async def search(self, request: Search) -> SearchReply:
        limit = _checked_limit(request.limit)
        if not request.query.strip():
            raise Refused(422, "query is empty; say what to look for", "query")
        vector = await self._embedder.embed_query(request.query)
        with metrics.timed(metrics.search_seconds):
            candidates = await self._index.search(
                request.user,
                vector,
                request.query,
                session_id=request.session_id,
                without_echoes=request.without_echoes,
                limit=max(_CANDIDATES, limit),
            )
            ranked = fuse(candidates, limit)
            # The row has the last word on whose turn it is: a point without the user's row is no hit.
            rows = await self._table.get(request.user, [r.turn_id for r in ranked])
        return SearchReply(
            hits=[
                Hit(
                    kind="turn",
                    id=r.turn_id,
                    score=round(r.score, 6),
                    text=row.input if row.quoted else f"{row.input}\n{row.output}",
                    turn_id=row.turn_id,
                    turn_number=row.turn_number,
                    session_id=row.session_id,
                    at=row.at,
                    input=row.input,
                    output=row.output,
                    quoted=row.quoted,
                    similarity=round(r.similarity, 6),
                    words=round(r.words, 6),
                )
                for r in ranked
                if (row := rows.get(r.turn_id)) is not None
            ]
        )

    async def list_turns(self, request: ListTurns) -> ListTurnsReply:
        limit = _checked_limit(request.limit)
        if request.before is not None and not 0 < request.before <= _LARGEST_BIGINT:
            raise Refused(422, "before is no turn number; use the next_cursor of the last page", "before")
        turns = await self._table.turns(
            request.user, session_id=request.session_id, before=request.before, limit=limit + 1
        )
        more = len(turns) > limit
        page = turns[:limit]
        return ListTurnsReply(turns=page, next_cursor=page[-1].turn_number if more else None)

    async def list_sessions(self, request: ListSessions) -> ListSessionsReply:
        return ListSessionsReply(
            sessions=await self._table.sessions(request.user, limit=_checked_limit(request.limit))
        )

    async def neighbours(self, request: Neighbours) -> NeighboursReply:
        return NeighboursReply(turns=await self._table.neighbours(request.user, request.turn_ids[:MOST_HITS]))

    async def count(self, request: Count) -> CountReply:
        rows, highest = await self._table.count()
        points = await self._index.count()
        metrics.index_rows.set(rows)
        metrics.index_points.set(points)
        return CountReply(rows=rows, points=points, highest_turn_number=highest)


def _checked_limit(limit: int) -> int:
    if not 1 <= limit <= MOST_HITS:
        raise Refused(422, f"limit is {limit}; it must be between 1 and {MOST_HITS}", "limit")
    return limit
