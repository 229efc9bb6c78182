"""Forgets what a user asked to be forgotten, in every store, and writes down what became of it.

Each step may be done again: a request that a crash cut off comes again and is carried out from the start. The
documents go last, since they are what says which turns have to go.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from services.orchestrator.archive import read_record
from services.orchestrator.clearing import Indexer, answers_on, clear_answer, names
from services.orchestrator.domain.forgetting import Gone
from services.orchestrator.files import Files, forget_files
from services.orchestrator.halting import Halting
from services.orchestrator.phases.deps import Clock
from services.orchestrator.ports import Documents
from shared.errors import Refused
from shared.events import Event, ForgetRequested
from shared.replies import (
    EraseRows,
    ForgetRows,
    GetReceipt,
    KeepReceipt,
    Receipt,
    Store,
    StoreReceipt,
)

log = logging.getLogger(__name__)
_ERASED_WITHIN = timedelta(seconds=60)
_NAMED_TURNS = 100
_REMAINS = [
    "backups and snapshots of the data folder or of the databases, until they expire",
    "what other programs have read from NATS or over HTTP",
]


class Traces(Protocol):
    """What the streams hold of turns. Raises Transient."""

    async def remove(self, order: ForgetRequested, gone: Gone, also: Sequence[str]) -> int:
        """Erases every message of what is gone, and of the turns `also`; how many there were."""
        ...

    async def remove_keys(self, order: ForgetRequested) -> int:
        """What was set for the sessions that are gone; how many there were."""
        ...

    async def erase(self) -> None:
        """Makes the bytes of messages go that were overwritten or too old before."""
        ...

    async def tell(self, turn_ids: Sequence[str]) -> None:
        """Every orchestrator forgets these turns, if it remembers them."""
        ...


class Forgetting:
    def __init__(
        self,
        indexer: Indexer,
        halting: Halting,
        documents: Documents,
        files: Files,
        traces: Traces,
        clock: Clock,
    ) -> None:
        self._indexer = indexer
        self._halting = halting
        self._documents = documents
        self._files = files
        self._traces = traces
        self._clock = clock
        self._erasing = asyncio.Lock()

    async def on_forget_requested(self, orders: Sequence[ForgetRequested]) -> Sequence[Event]:
        """All of them are forgotten one after the other, then their bytes are erased together."""
        receipts = [await self._forget(order) for order in orders]
        unerased = [receipt for receipt in receipts if receipt.state != "erased"]
        if not unerased:
            return []
        async with self._erasing:
            await self._traces.erase()
            rows = (await self._indexer.ask(EraseRows())).stores
        erased: dict[Store, StoreReceipt] = {one.store: one for one in rows}
        for receipt in unerased:
            stores = [_erased(one, erased.get(one.store)) for one in receipt.stores]
            await self._keep(msgspec.structs.replace(receipt, state="erased", stores=stores))
        return []

    async def _forget(self, order: ForgetRequested) -> Receipt:
        receipt = await self._known(order) or self._receipt(order)
        if receipt.state == "erased":
            return receipt
        # The indexer notes it before anything is removed: what comes late is held against the note.
        rows = await self._indexer.ask(ForgetRows(order=order))
        receipt = _with(receipt, rows.stores)
        await self._keep(receipt)
        await self._halting.stop(order)
        # Whoever runs now may have been given some of it before.
        others = self._halting.running_of(order.user)
        gone = await self._gone(order, rows.memory_ids)
        receipt = await self._forget_turns(order, gone, receipt)
        # Turns that ended while they were being stopped have rows by now.
        receipt = _with(receipt, (await self._indexer.ask(ForgetRows(order=order))).stores)
        receipt = msgspec.structs.replace(receipt, state="forgotten")
        await self._keep(receipt)
        log.info("%s: %d turns of a %s are forgotten", order.forget_id, len(gone.turn_ids), order.scope)
        if others and not gone.is_nothing:
            receipt = await self._without(others, order, gone, receipt)
            receipt = await self._forget_turns(order, gone, receipt)
        return receipt

    async def _without(
        self, others: set[str], order: ForgetRequested, gone: Gone, receipt: Receipt
    ) -> Receipt:
        """Returns when none of the others knows any of it and can still tell it."""
        # Answers that were cleared told of it too; turns may have gone before a request was broken off.
        told = msgspec.structs.replace(gone, turn_ids=gone.turn_ids | {*receipt.turns, *receipt.answers})
        async for turn_id in self._halting.that_know(order.user, others, told):
            # Noted first: its documents may not say what it was given.
            receipt = msgspec.structs.replace(
                receipt, answers=names([turn_id], receipt.answers)[:_NAMED_TURNS]
            )
            await self._keep(receipt)
            await self._halting.cancel(order.user, turn_id)
        return receipt

    async def _forget_turns(self, order: ForgetRequested, gone: Gone, receipt: Receipt) -> Receipt:
        given = receipt.answers
        answers = await answers_on(order.user, gone, self._documents, given)
        receipt = msgspec.structs.replace(
            receipt,
            turns=names(receipt.turns, sorted(gone.turn_ids))[:_NAMED_TURNS],
            answers=names(receipt.answers, answers)[:_NAMED_TURNS],
        )
        await self._keep(receipt)  # Behind this nothing names them any more.
        await self._traces.tell([*gone.turn_ids, *answers])
        messages = await self._traces.remove(order, gone, answers)
        for turn_id in answers:
            await clear_answer(order.user, turn_id, gone, self._documents, self._indexer, given)
        # Before the folders, whose records name them.
        files = await forget_files(order, gone, self._documents, self._files)
        folders = [await self._documents.remove(turn_id) for turn_id in sorted(gone.turn_ids)]
        stores = [
            StoreReceipt(store="documents", removed=sum(folders), erased=True),
            StoreReceipt(store="files", removed=files, erased=True),
            StoreReceipt(store="streams", removed=messages),
            StoreReceipt(store="keys", removed=await self._traces.remove_keys(order)),
            StoreReceipt(store="caches", removed=0, erased=True),
        ]
        return _with(receipt, stores)

    async def _known(self, order: ForgetRequested) -> Receipt | None:
        try:
            return await self._indexer.ask(GetReceipt(user=order.user, forget_id=order.forget_id))
        except Refused:
            return None

    def _receipt(self, order: ForgetRequested) -> Receipt:
        return Receipt(
            forget_id=order.forget_id,
            user=order.user,
            scope=order.scope,
            target=order.target,
            requested_at=order.requested_at,
            state="pending",
            erased_by=self._clock() + _ERASED_WITHIN,
            remains=_REMAINS,
        )

    async def _keep(self, receipt: Receipt) -> None:
        await self._indexer.ask(KeepReceipt(receipt=receipt))

    async def _gone(self, order: ForgetRequested, memory_ids: Sequence[str]) -> Gone:
        """Of a request that was carried out in part before, at least all that is left."""
        turn_ids: set[str] = set()
        match order.scope:
            case "memory":
                pass
            case "turn":
                record = await read_record(self._documents, order.target)
                is_own = record is None or record.user == order.user
                turn_ids = {order.target} if is_own else set()
            case "session" | "user":
                session = order.target if order.scope == "session" else None
                turn_ids = {turn_id for _, turn_id in await self._documents.turns_of(order.user, session)}
        return Gone(
            turn_ids=frozenset([one for one in turn_ids if await self._began_before(one, order)]),
            session_id=order.target if order.scope == "session" else None,
            memory_ids=frozenset([*memory_ids, *([order.target] if order.scope == "memory" else [])]),
            until=order.requested_at if order.scope in ("session", "user") else None,
        )

    async def _began_before(self, turn_id: str, order: ForgetRequested) -> bool:
        record = await read_record(self._documents, turn_id)
        return record is None or order.scope == "turn" or record.requested_at <= order.requested_at


def _with(receipt: Receipt, stores: Sequence[StoreReceipt]) -> Receipt:
    """The same, and more that was removed."""
    by_store = {one.store: one for one in receipt.stores}
    for one in stores:
        before = by_store[one.store].removed if one.store in by_store else 0
        by_store[one.store] = msgspec.structs.replace(one, removed=before + one.removed)
    return msgspec.structs.replace(receipt, stores=list(by_store.values()))


def _erased(receipt: StoreReceipt, rows: StoreReceipt | None) -> StoreReceipt:
    if rows is None:
        return msgspec.structs.replace(receipt, erased=True)
    return msgspec.structs.replace(receipt, erased=rows.erased, remains=rows.remains)
