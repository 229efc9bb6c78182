"""Forgets: rows and points go at once and do not come back, their bytes a little later."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from services.indexer.domain.highlights import forget_words
from services.indexer.generation import Generation
from services.indexer.ports import Forgotten, MessageTable, RemovedRows, Selection
from services.indexer.remembering import Remembering
from shared.endpoints import Endpoint, Send
from shared.errors import Refused
from shared.events import (
    Event,
    ForgetRequested,
    MemoryExtracted,
    MemorySaved,
    ResearchSaved,
    SourceObserved,
    TurnCancelled,
    TurnSaved,
)
from shared.replies import (
    AnswersCleared,
    ClearAnswers,
    EraseRows,
    ForgetRows,
    GetReceipt,
    KeepReceipt,
    Receipt,
    ReceiptKept,
    RowsErased,
    RowsForgotten,
    StillForgetting,
    StoreReceipt,
)

log = logging.getLogger(__name__)
A = TypeVar("A", RowsForgotten, RowsErased)
MayBeForgotten = TurnCancelled | MemorySaved | MemoryExtracted | ResearchSaved | SourceObserved
_POINTS_AT_ONCE = 500
_SIGN_OF_LIFE_SECONDS = 1.0
_OTHERS_SERVER = "this PostgreSQL is not ours alone: its log and statistics, replicas and archives"
_OTHERS_QDRANT = "the Qdrant server, until its own optimizer has merged the segments"


Keep = Callable[[Sequence[TurnSaved]], Awaitable[Sequence[Event]]]


class RememberedFacts(Protocol):
    """Memories, as far as they have to be forgotten."""

    async def remove(
        self,
        user: str,
        memory_ids: Sequence[str] = (),
        *,
        turn_ids: Sequence[str] = (),
        session_ids: Sequence[str] = (),
        everything: bool = False,
        until: datetime | None = None,
    ) -> Sequence[str]: ...


class KeptPages(Protocol):
    """Pages that were fetched, as far as they have to be forgotten."""

    async def forget(self, order: ForgetRequested) -> int:
        """How many there were."""
        ...


class Erasure(Protocol):
    """Makes the bytes of deleted rows go. Raises Transient."""

    async def erase(self) -> bool:
        """False where some are out of our reach."""
        ...


class Forgetting:
    """The indexer's part of forgetting; the orchestrator asks for it, step by step."""

    def __init__(
        self,
        forgotten: Forgotten,
        messages: MessageTable,
        memories: RememberedFacts,
        pages: KeptPages,
        remembering: Remembering,
        generation: Generation,
        erasure: Erasure,
    ) -> None:
        self._forgotten = forgotten
        self._messages = messages
        self._memories = memories
        self._pages = pages
        self._remembering = remembering
        self._generation = generation
        self._erasure = erasure
        self._erasing = asyncio.Lock()

    async def forget_rows(self, request: ForgetRows) -> RowsForgotten:
        """The note comes first: whatever is stored behind it is held against it."""
        order = request.order
        await self._forgotten.note(order)
        self._generation.embedder.forget_queries()
        forget_words()
        removed = await self._forgotten.remove(order)
        points = await self._remove_points(order.user, removed)
        memory_ids = await self._forget_memories(order)
        pages = await self._pages.forget(order)
        return RowsForgotten(
            stores=[
                StoreReceipt(store="turns", removed=removed.turns),
                StoreReceipt(store="messages", removed=len(removed.messages)),
                StoreReceipt(store="memories", removed=len(memory_ids)),
                StoreReceipt(store="research", removed=pages),
                StoreReceipt(store="points", removed=points),
            ],
            memory_ids=sorted({*memory_ids, *await self._forgotten.sources(order.user)}),
        )

    async def _forget_memories(self, order: ForgetRequested) -> Sequence[str]:
        match order.scope:
            case "memory":
                return await self._memories.remove(order.user, [order.target])
            case "turn":
                return await self._memories.remove(order.user, turn_ids=[order.target])
            case "session":
                return await self._memories.remove(
                    order.user, session_ids=[order.target], until=order.requested_at
                )
            case "user":
                return await self._memories.remove(order.user, everything=True, until=order.requested_at)

    async def clear_answers(self, request: ClearAnswers) -> AnswersCleared:
        removed = await self._forgotten.clear_answers(request.user, request.turn_ids)
        await self._remove_points(request.user, removed)
        return AnswersCleared()

    async def _remove_points(self, user: str, removed: RemovedRows) -> int:
        index = self._generation.indexes["turn"]
        before = await index.count()
        # Who has read the rows before they went may be about to write their points.
        async with self._remembering.held_sessions(user, removed.sessions):
            for begin in range(0, len(removed.messages), _POINTS_AT_ONCE):
                some: Sequence[UUID] = removed.messages[begin : begin + _POINTS_AT_ONCE]
                await index.remove(Selection(user=user, messages=some))
        points = before - await index.count()
        beside = await self._messages.get(user, removed.beside)
        await self._remembering.index(list(beside.values()))
        return max(0, points)

    async def erase_rows(self, request: EraseRows) -> RowsErased:
        async with self._erasing:  # Two at once would wait for each other's locks.
            rows = await self._erasure.erase()
            compacted = [await index.compact() for index in self._generation.indexes.values()]
        stores: list[StoreReceipt] = [
            StoreReceipt(store=store, removed=0, erased=rows, remains="" if rows else _OTHERS_SERVER)
            for store in ("turns", "messages", "memories", "research")
        ]
        points = all(compacted)
        stores.append(
            StoreReceipt(store="points", removed=0, erased=points, remains="" if points else _OTHERS_QDRANT)
        )
        return RowsErased(stores=stores)

    # --- what comes late ---

    async def on_turns_saved(self, events: Sequence[TurnSaved], keep: Keep) -> Sequence[Event]:
        """Keeps those that are not forgotten; what was forgotten while they were written goes again."""
        wanted = await self._still_wanted(events)
        follow_ups = await keep(wanted) if wanted else []
        still_wanted = await self._still_wanted(wanted)
        for event in wanted:
            if event not in still_wanted:
                log.info("turn %d was forgotten while it was written", event.turn_number)
                await self.forget_rows(ForgetRows(order=_of_turn(event)))
        return [event for event in follow_ups if event.about in {kept.turn_id for kept in still_wanted}]

    async def _still_wanted(self, events: Sequence[TurnSaved]) -> list[TurnSaved]:
        covered = await self._forgotten.covered(
            [(event.user, event.session_id, event.turn_id, event.requested_at) for event in events]
        )
        return [event for i, event in enumerate(events) if i not in covered]

    async def is_forgotten(self, event: MayBeForgotten, stored_at: datetime) -> bool:
        return bool(await self._forgotten.covered([_said_in(event, stored_at)]))

    # --- receipts ---

    async def keep_receipt(self, request: KeepReceipt) -> ReceiptKept:
        await self._forgotten.keep(request.receipt)
        return ReceiptKept()

    async def get_receipt(self, request: GetReceipt) -> Receipt:
        receipt = await self._forgotten.receipt(request.user, request.forget_id)
        if receipt is None:
            raise Refused(404, f"nothing was forgotten under {request.forget_id} yet; ask again in a moment")
        return receipt

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(ForgetRows, lambda request, send: _alive(self.forget_rows(request), send)),
            Endpoint(ClearAnswers, lambda request, send: self.clear_answers(request)),
            Endpoint(EraseRows, lambda request, send: _alive(self.erase_rows(request), send)),
            Endpoint(KeepReceipt, lambda request, send: self.keep_receipt(request)),
            Endpoint(GetReceipt, lambda request, send: self.get_receipt(request)),
        ]


async def _alive(answer: Coroutine[Any, Any, A], send: Send) -> A:
    """Says every second that it is under way, so that nobody waits for a process that died."""
    begun = asyncio.get_running_loop().time()
    task = asyncio.create_task(answer)
    try:
        while not (await asyncio.wait([task], timeout=_SIGN_OF_LIFE_SECONDS))[0]:
            await send(StillForgetting(seconds=asyncio.get_running_loop().time() - begun))
        return task.result()
    finally:
        task.cancel()


def _said_in(event: MayBeForgotten, stored_at: datetime) -> tuple[str, str, str, datetime]:
    """User, session, turn, and when it began; what stands on no turn began when it was stored."""
    match event:
        case TurnCancelled():
            began = event.requested_at or event.cancelled_at
            return event.user, event.session_id, event.turn_id, began
        case ResearchSaved():
            began = min(event.requested_at or event.fetched_at, stored_at)
            return event.user, event.session_id or "", event.turn_id or "", began
        case SourceObserved():
            return event.user, "", event.turn_id or "", min(event.at, stored_at)
        case MemorySaved() | MemoryExtracted():
            statement = event.statement
            began = (statement.said_at if statement.turn_id else None) or stored_at
            return event.user, statement.session_id, statement.turn_id or "", began


def _of_turn(event: TurnSaved) -> ForgetRequested:
    """Named after the turn, so that however often it comes it is noted once."""
    return ForgetRequested(
        forget_id=event.turn_id,
        user=event.user,
        scope="turn",
        target=event.turn_id,
        requested_at=event.saved_at,
    )
