"""Keeps memories: takes statements in, answers `memories.*`, and keeps the index in step with the rows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from uuid_utils import uuid7

from services.indexer.domain.memories import Said
from services.indexer.domain.statements import (
    MemoryRow,
    Written,
    cursor_of,
    hit_of,
    memory_of,
    passage_of,
    point_of,
    read_cursor,
    said_of,
    status_of,
)
from services.indexer.generation import Generation, Run
from services.indexer.ports import Selection
from services.indexer.searching import checked_limit
from shared.endpoints import Endpoint
from shared.errors import Poison, Refused
from shared.events import Event, MemoryExtracted, MemorySaved, TurnSaved
from shared.memories import Memory
from shared.replies import (
    ChangeMemory,
    DeleteMemories,
    GetMemory,
    Hit,
    ListMemories,
    ListMemoriesReply,
    MemoriesDeleted,
    MemoryChange,
    MemoryFilter,
    SaveMemory,
)

_MOST_AT_ONCE = 100


class MemoryTable(Protocol):
    """What was said, and the memories that it makes. Everything is for one user."""

    async def add(self, said: Sequence[Said]) -> Written: ...

    async def change(self, user: str, memory_id: str, change: MemoryChange) -> Written | None: ...

    async def remove(
        self,
        user: str,
        memory_ids: Sequence[str] = (),
        *,
        turn_ids: Sequence[str] = (),
        session_ids: Sequence[str] = (),
        everything: bool = False,
        until: datetime | None = None,
    ) -> Written: ...

    async def get(self, user: str, memory_ids: Sequence[str]) -> list[MemoryRow]: ...

    async def at_points(self, user: str, points: Sequence[UUID]) -> dict[UUID, MemoryRow]: ...

    async def note_used(self, user: str, memory_ids: Sequence[str], at: datetime) -> None: ...

    async def find(
        self,
        user: str,
        where: MemoryFilter,
        *,
        at: datetime | None,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> list[MemoryRow]: ...


def _now() -> datetime:
    return datetime.now(UTC)


class Memories:
    """Facts, preferences and notes."""

    def __init__(
        self, table: MemoryTable, generation: Generation, clock: Callable[[], datetime] = _now
    ) -> None:
        self._table = table
        self._generation = generation
        self._clock = clock
        # One after another, so that no point is written as its row was before.
        self._writing = asyncio.Lock()

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(SaveMemory, lambda request, send: self.save(request)),
            Endpoint(ListMemories, lambda request, send: self.list_memories(request)),
            Endpoint(GetMemory, lambda request, send: self.get(request)),
            Endpoint(ChangeMemory, lambda request, send: self.change(request)),
            Endpoint(DeleteMemories, lambda request, send: self.delete(request)),
        ]

    # --- taking in ---

    async def on_memory_stated(self, event: MemorySaved | MemoryExtracted) -> Sequence[Event]:
        """The same statement again changes nothing. Raises Poison where it can never be stored."""
        try:
            said = said_of(event.memory_id, event.user, event.statement, self._clock())
        except Refused as refusal:
            raise Poison(str(refusal)) from refusal
        async with self._writing:
            await self._index(event.user, await self._table.add([said]))
        return []

    async def save(self, request: SaveMemory) -> Memory:
        memory_id = request.memory_id or str(uuid7())
        said = said_of(memory_id, request.user, request.statement, self._clock())
        async with self._writing:
            await self._index(request.user, await self._stored(request.user, said))
        return await self.get(GetMemory(user=request.user, memory_id=memory_id))

    async def _stored(self, user: str, said: Said) -> Written:
        try:
            return await self._table.add([said])
        except Poison as error:
            raise Refused(422, str(error), "statement") from error

    async def change(self, request: ChangeMemory) -> Memory:
        async with self._writing:
            written = await self._table.change(request.user, request.memory_id, request.change)
            if written is None:
                raise _no_such_memory(request.memory_id)
            await self._index(request.user, written)
        return await self.get(GetMemory(user=request.user, memory_id=request.memory_id))

    async def delete(self, request: DeleteMemories) -> MemoriesDeleted:
        if not 1 <= len(request.memory_ids) <= _MOST_AT_ONCE:
            raise Refused(422, f"memory_ids: name 1 to {_MOST_AT_ONCE} of them", "memory_ids")
        known = {row.memory_id for row in await self._table.get(request.user, request.memory_ids)}
        await self.remove(request.user, request.memory_ids)
        return MemoriesDeleted(memory_ids=sorted(known))

    async def remove(
        self,
        user: str,
        memory_ids: Sequence[str] = (),
        *,
        turn_ids: Sequence[str] = (),
        session_ids: Sequence[str] = (),
        everything: bool = False,
        until: datetime | None = None,
    ) -> Sequence[str]:
        """Rows and points of these memories, or of what these turns or sessions said; the ids of them.

        `until`: of sessions, or of everything, what was said until then.
        """
        async with self._writing:
            written = await self._table.remove(
                user,
                memory_ids,
                turn_ids=turn_ids,
                session_ids=session_ids,
                everything=everything,
                until=until,
            )
            await self._index(user, written)
        return written.gone

    async def note_uses(self, events: Sequence[TurnSaved]) -> None:
        """What answers stand on does not fade. The same turns again change nothing."""
        for event in events:
            used = [source.id for source in event.sources if source.kind == "memory"]
            if used:
                await self._table.note_used(event.user, used, event.saved_at)

    async def _index(self, user: str, written: Written) -> None:
        """Rows first: a point without its row is no hit, and whoever failed here comes again."""
        index, now = self._generation.indexes["memory"], self._clock()
        found = [row for row in written.memories if row.valid_to is None or row.valid_to > now]
        kept = {row.memory_id for row in found}
        others = {row.memory_id for row in written.memories} | set(written.gone)
        if hidden := sorted(others - kept):
            await index.remove(Selection(user=user, messages=[point_of(user, one) for one in hidden]))
        if found:
            points = {point_of(user, memory_id) for memory_id in kept}
            await self._generation.write("memory", [[passage_of(row)] for row in found], anew=points)

    @asynccontextmanager
    async def held(self, runs: Sequence[Run]) -> AsyncIterator[None]:
        """Nobody else here writes points of memories."""
        async with self._writing:
            yield

    # --- answering ---

    async def list_memories(self, request: ListMemories) -> ListMemoriesReply:
        limit, now = checked_limit(request.limit), self._clock()
        rows = await self._table.find(
            request.user,
            request.where,
            at=None if request.where.with_history else request.where.as_of or now,
            before=read_cursor(request.cursor) if request.cursor else None,
            limit=limit + 1,
        )
        page = rows[:limit]
        return ListMemoriesReply(
            memories=[memory_of(row, now) for row in page],
            next_cursor=cursor_of(page[-1]) if len(rows) > limit else None,
        )

    async def get(self, request: GetMemory) -> Memory:
        rows = await self._table.get(request.user, [request.memory_id])
        if not rows:
            raise _no_such_memory(request.memory_id)
        return memory_of(rows[0], self._clock())

    # --- being found ---

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        """Hits, for the search: those of these points that hold now."""
        now, rows = self._clock(), await self._table.at_points(user, ids)
        return {
            point: hit_of(row)
            for point, row in rows.items()
            if status_of(row, now) in ("current", "disputed")
        }


def _no_such_memory(memory_id: str) -> Refused:
    return Refused(404, f"there is no memory {memory_id}")
