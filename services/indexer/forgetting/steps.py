"""Forgets: removes rows and points at once, and erases their bytes a little later."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from services.indexer.forgetting.debts import (
    OWED_BY_MEMORIES,
    OWED_BY_PAGES,
    OWED_BY_TURNS,
    DebtTable,
    Owed,
)
from services.indexer.forgetting.table import ForgottenTable, RemovedRows
from services.indexer.generations.writing import Generation
from services.indexer.messages.tables import MessageTable
from services.indexer.messages.writing import MessageWriter
from services.indexer.passages.index import Selection
from shared.bus.endpoints import Send, endpoint
from shared.contract.events import ForgetRequested
from shared.contract.requests import (
    AnswersCleared,
    ClearAnswers,
    EraseRows,
    ForgetRows,
    RowsErased,
    RowsForgotten,
    StillForgetting,
    Store,
    StoreReceipt,
)
from shared.language.stems import Stems

A = TypeVar("A", RowsForgotten, RowsErased)
_POINTS_AT_ONCE = 500
_TABLES: Final[Sequence[Store]] = ("turns", "messages", "memories", "research")
_SIGN_OF_LIFE_SECONDS = 1.0
_OTHERS_SERVER = "this PostgreSQL is not ours alone: its log and statistics, replicas and archives"
_OTHERS_QDRANT = "the Qdrant server, until its own optimizer has merged the segments"


class RemovableMemories(Protocol):
    async def forget(self, order: ForgetRequested) -> Sequence[str]:
        """Returns the ids of what was removed."""
        ...


class RemovablePages(Protocol):
    async def forget(self, order: ForgetRequested) -> int:
        """Returns how many pages were removed."""
        ...


class StoredEvents(Protocol):
    """Events in the streams of the bus. Each call returns how many were erased. Raises Transient."""

    async def erase(self, order: ForgetRequested, memory_ids: Collection[str]) -> int: ...

    async def erase_turns(self, user: str, turn_ids: Sequence[str]) -> int: ...


class Erasure(Protocol):
    """Erases the bytes of deleted rows. Raises Transient."""

    async def erase(self, stores: Collection[Owed]) -> bool:
        """False where some are out of our reach."""
        ...


class Forgetting:
    """The indexer's part of forgetting. The orchestrator asks for it, step by step."""

    def __init__(
        self,
        forgotten: ForgottenTable,
        debts: DebtTable,
        messages: MessageTable,
        writer: MessageWriter,
        memories: RemovableMemories,
        pages: RemovablePages,
        events: StoredEvents,
        generation: Generation,
        erasure: Erasure,
        stems: Stems,
    ) -> None:
        """`stems`: those of search, which keep words of texts."""
        self._forgotten = forgotten
        self._debts = debts
        self._messages = messages
        self._writer = writer
        self._memories = memories
        self._pages = pages
        self._events = events
        self._generation = generation
        self._erasure = erasure
        self._stems = stems
        self._erasing = asyncio.Lock()

    @endpoint
    async def forget_rows(self, request: ForgetRows, send: Send[StillForgetting]) -> RowsForgotten:
        return await _with_signs_of_life(self.forget(request.order), send)

    async def forget(self, order: ForgetRequested) -> RowsForgotten:
        """The note comes first: it stops events that come late, and says which bytes are to be erased."""
        owed = await self._forgotten.note(order)
        self._generation.embedder.forget_queries()
        self._stems.forget()
        removed = await self._forgotten.remove(order)
        points = await self._remove_points(order.user, removed)
        memory_ids = await self._memories.forget(order)
        pages = await self._pages.forget(order)
        forgotten_ids = {*memory_ids, *await self._forgotten.sources(order.user)}
        if order.scope == "memory":
            forgotten_ids.add(order.target)
        events = await self._events.erase(order, forgotten_ids)
        counts = {
            OWED_BY_TURNS: removed.turns + len(removed.messages),
            OWED_BY_MEMORIES: len(memory_ids),
            OWED_BY_PAGES: pages,
        }
        touched = [store for stores, count in counts.items() if count for store in stores]
        # A pass that was under way meanwhile may have erased nothing of it, and calls it paid.
        await self._debts.owe(touched, order.forget_id)
        untouched = {store for stores, count in counts.items() if not count for store in stores}
        # Not those of an earlier try, which may have removed something before it broke off.
        await self._debts.paid([debt for debt in owed if debt.store in untouched])
        return RowsForgotten(
            stores=[
                StoreReceipt(store="turns", removed=removed.turns),
                StoreReceipt(store="messages", removed=len(removed.messages)),
                StoreReceipt(store="memories", removed=len(memory_ids)),
                StoreReceipt(store="research", removed=pages),
                StoreReceipt(store="points", removed=points),
                StoreReceipt(store="streams", removed=events),
            ],
            memory_ids=sorted(forgotten_ids),
        )

    @endpoint
    async def clear_answers(self, request: ClearAnswers) -> AnswersCleared:
        removed = await self._forgotten.clear_answers(request.user, request.turn_ids)
        await self._remove_points(request.user, removed)
        # After the note: what comes later clears itself, and comes here again.
        await self._events.erase_turns(request.user, request.turn_ids)
        return AnswersCleared()

    async def _remove_points(self, user: str, removed: RemovedRows) -> int:
        index = self._generation.indexes["turn"]
        before = await index.count(exact=False)
        # A writer that read the rows before they were removed may be about to write their points.
        async with self._writer.lock_sessions(user, removed.sessions):
            for begin in range(0, len(removed.messages), _POINTS_AT_ONCE):
                some: Sequence[UUID] = removed.messages[begin : begin + _POINTS_AT_ONCE]
                await index.remove(Selection(user=user, messages=some))
        points = before - await index.count(exact=False)
        neighbours = await self._messages.get(user, removed.neighbours)
        await self._writer.index(list(neighbours.values()))
        return max(0, points)

    @endpoint
    async def erase_rows(self, request: EraseRows, send: Send[StillForgetting]) -> RowsErased:
        return await _with_signs_of_life(self.erase(), send)

    async def erase(self) -> RowsErased:
        """Erases what was removed until now. What is removed meanwhile is erased the next time."""
        async with self._erasing:  # Two at once would wait for each other's locks.
            owed = await self._debts.owed()
            stores = {debt.store for debt in owed}
            rows = await self._erasure.erase(stores)
            indexes = self._generation.indexes
            points = all(
                [await index.compact() for kind, index in indexes.items() if f"{kind} points" in stores]
            )
            await self._debts.paid(owed)
        return RowsErased(
            stores=[
                StoreReceipt(store=store, removed=0, erased=rows, remains="" if rows else _OTHERS_SERVER)
                for store in _TABLES
            ]
            + [
                StoreReceipt(
                    store="points", removed=0, erased=points, remains="" if points else _OTHERS_QDRANT
                )
            ]
        )


async def _with_signs_of_life(answer: Coroutine[Any, Any, A], send: Send[StillForgetting]) -> A:
    """Sends one every second, so a process that asks notices when this one has died."""
    begun = asyncio.get_running_loop().time()
    task = asyncio.create_task(answer)
    try:
        while not (await asyncio.wait([task], timeout=_SIGN_OF_LIFE_SECONDS))[0]:
            await send(StillForgetting(seconds=asyncio.get_running_loop().time() - begun))
        return task.result()
    finally:
        task.cancel()
