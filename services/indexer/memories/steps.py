"""Stores statements, answers `memories.*`, and writes a point for each memory that has not ended."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID

from uuid_utils import uuid7

from services.indexer.generations.locks import Locks, of_memories
from services.indexer.generations.writing import Generation
from services.indexer.memories.intake import said_of
from services.indexer.memories.memory import (
    Written,
    cursor_of,
    hit_of,
    memory_of,
    passage_of,
    point_of,
    read_cursor,
    status_of,
)
from services.indexer.memories.statement import Said, StatementSelection
from services.indexer.memories.table import MemoryTable
from services.indexer.passages.index import Selection
from services.indexer.passages.passage import Run
from shared.bus.endpoints import endpoint
from shared.contract.errors import Poison, Refused
from shared.contract.events import Event, ForgetRequested, MemoryExtracted, MemorySaved, TurnSaved
from shared.contract.memories import Memory
from shared.contract.requests import (
    ChangeMemory,
    DeleteMemories,
    GetMemory,
    Hit,
    ListMemories,
    ListMemoriesReply,
    MemoriesDeleted,
    SaveMemory,
    checked_limit,
)

_MOST_AT_ONCE = 100


def _now() -> datetime:
    return datetime.now(UTC)


class Memories:
    """Facts, preferences and notes. One writer a user, so no point is written from an older row."""

    def __init__(
        self,
        table: MemoryTable,
        generation: Generation,
        locks: Locks,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._table = table
        self._generation = generation
        self._clock = clock
        self._locks = locks

    # --- storing ---

    async def on_memory_stated(self, event: MemorySaved | MemoryExtracted) -> Sequence[Event]:
        """The same statement again changes nothing. Raises Poison where it can never be stored."""
        try:
            said = said_of(event.memory_id, event.user, event.statement, self._clock())
        except Refused as refusal:
            raise Poison(str(refusal)) from refusal
        async with self._writing(event.user):
            await self._index(event.user, await self._table.add([said]))
        return []

    @endpoint
    async def save(self, request: SaveMemory) -> Memory:
        memory_id = request.memory_id or str(uuid7())
        said = said_of(memory_id, request.user, request.statement, self._clock())
        async with self._writing(request.user):
            await self._index(request.user, await self._stored(request.user, said))
        return await self.get(GetMemory(user=request.user, memory_id=memory_id))

    async def _stored(self, user: str, said: Said) -> Written:
        try:
            return await self._table.add([said])
        except Poison as error:
            raise Refused(422, str(error), "statement") from error

    @endpoint
    async def change(self, request: ChangeMemory) -> Memory:
        async with self._writing(request.user):
            written = await self._table.change(request.user, request.memory_id, request.change)
            if written is None:
                raise _no_such_memory(request.memory_id)
            await self._index(request.user, written)
        return await self.get(GetMemory(user=request.user, memory_id=request.memory_id))

    @endpoint
    async def delete(self, request: DeleteMemories) -> MemoriesDeleted:
        if not 1 <= len(request.memory_ids) <= _MOST_AT_ONCE:
            raise Refused(422, f"memory_ids: name 1 to {_MOST_AT_ONCE} of them", "memory_ids")
        known = {row.memory_id for row in await self._table.get(request.user, request.memory_ids)}
        await self._remove(StatementSelection(user=request.user, memory_ids=request.memory_ids))
        return MemoriesDeleted(memory_ids=sorted(known))

    async def forget(self, order: ForgetRequested) -> Sequence[str]:
        """Returns the ids of the memories in its scope, which it removes."""
        return await self._remove(_in_scope(order))

    async def _remove(self, selected: StatementSelection) -> Sequence[str]:
        """Removes rows and points. Returns the ids."""
        async with self._writing(selected.user):
            written = await self._table.remove(selected)
            await self._index(selected.user, written)
        return written.gone

    async def note_uses(self, events: Sequence[TurnSaved]) -> None:
        """Memories that answers stand on do not fade. The same turns again change nothing."""
        for event in events:
            used = [source.id for source in event.sources if source.kind == "memory"]
            if used:
                await self._table.note_used(event.user, used, event.saved_at)

    async def _index(self, user: str, written: Written) -> None:
        """After the rows: a point without its row is no hit, and a failed request comes again."""
        index, now = self._generation.indexes["memory"], self._clock()
        found = [row for row in written.memories if row.valid_to is None or row.valid_to > now]
        kept = {row.memory_id for row in found}
        others = {row.memory_id for row in written.memories} | set(written.gone)
        if hidden := sorted(others - kept):
            await index.remove(Selection(user=user, messages=[point_of(user, one) for one in hidden]))
        if found:
            points = {point_of(user, memory_id) for memory_id in kept}
            await self._generation.write("memory", [[passage_of(row)] for row in found], anew=points)

    def lock(self, runs: Sequence[Run]) -> AbstractAsyncContextManager[None]:
        """Keeps all others from writing points of these memories."""
        return self._locks.hold({of_memories(passage.message.user) for passage in chain(*runs)})

    def _writing(self, user: str) -> AbstractAsyncContextManager[None]:
        return self._locks.hold([of_memories(user)])

    # --- answering ---

    @endpoint
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

    @endpoint
    async def get(self, request: GetMemory) -> Memory:
        rows = await self._table.get(request.user, [request.memory_id])
        if not rows:
            raise _no_such_memory(request.memory_id)
        return memory_of(rows[0], self._clock())

    # --- found by search ---

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        """Hits of those points whose memories are valid now."""
        now, rows = self._clock(), await self._table.at_points(user, ids)
        return {
            point: hit_of(row)
            for point, row in rows.items()
            if status_of(row, now) in ("current", "disputed")
        }


def _no_such_memory(memory_id: str) -> Refused:
    return Refused(404, f"there is no memory {memory_id}")


def _in_scope(order: ForgetRequested) -> StatementSelection:
    user, until = order.user, order.requested_at
    match order.scope:
        case "memory":
            return StatementSelection(user=user, memory_ids=[order.target])
        case "turn":
            return StatementSelection(user=user, turn_ids=[order.target])
        case "session":
            return StatementSelection(user=user, session_ids=[order.target], until=until)
        case "user":
            return StatementSelection(user=user, everything=True, until=until)
