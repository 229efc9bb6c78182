"""Forgets what a user asked to be forgotten, in every store, and writes a receipt.

Each step may run again: after a crash the request is delivered again, and all its steps run from the first
one. The documents go last, since they say which turns have to go.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from services.orchestrator.forgetting.affected_answers import (
    Indexer,
    affected_answers,
    clear_answer,
    each_once,
)
from services.orchestrator.forgetting.affected_turns import Forgotten
from services.orchestrator.forgetting.erasing import Erasing
from services.orchestrator.forgetting.files import forget_files
from services.orchestrator.forgetting.receipts import new_receipt, with_stores
from services.orchestrator.forgetting.unended_turns import UnendedTurns
from services.orchestrator.images.ports import Files
from shared.contract.errors import Refused
from shared.contract.events import Event, ForgetRequested
from shared.contract.requests import (
    ForgetRows,
    GetReceipt,
    KeepReceipt,
    Receipt,
    StoreReceipt,
)

log = logging.getLogger(__name__)
_NAMED_TURNS = 100
"""The most turns that a receipt names."""


class Traces(Protocol):
    """What the streams hold of turns. Raises Transient."""

    async def remove(self, order: ForgetRequested, forgotten: Forgotten, also: Sequence[str]) -> int:
        """Deletes every message of what is forgotten, and of the turns `also`. Returns their number."""
        ...

    async def announce(self, turn_ids: Sequence[str]) -> None:
        """Tells every orchestrator to drop these turns from its memory."""
        ...


class SettingsOfSessions(Protocol):
    async def forget(self, order: ForgetRequested) -> int:
        """Deletes the settings of forgotten sessions. Returns their number. Raises Transient."""
        ...


class Forgetting:
    def __init__(
        self,
        indexer: Indexer,
        unended: UnendedTurns,
        documents: Documents,
        files: Files,
        traces: Traces,
        settings: SettingsOfSessions,
        erasing: Erasing,
        clock: Callable[[], datetime],
    ) -> None:
        self._indexer = indexer
        self._unended = unended
        self._documents = documents
        self._files = files
        self._traces = traces
        self._settings = settings
        self._erasing = erasing
        self._clock = clock

    async def on_forget_requested(self, orders: Sequence[ForgetRequested]) -> Sequence[Event]:
        """Carries out the orders one after the other. Erases their bytes where one of them asks for it."""
        receipts = [await self._forget(order) for order in orders]
        at_once = any(order.now for order in orders) or self._erasing.is_at_once
        if at_once and any(receipt.state != "erased" for receipt in receipts):
            await self._erasing.erase()
        return []

    async def _forget(self, order: ForgetRequested) -> Receipt:
        receipt = await self._known(order) or new_receipt(order, self._clock() + self._erasing.within(order))
        if receipt.state == "erased":
            return receipt
        # The indexer notes the order before anything is removed. It compares later messages with that note.
        rows = await self._indexer.ask(ForgetRows(order=order))
        receipt = with_stores(receipt, rows.stores)
        await self._keep(receipt)
        await self._unended.stop(order)
        # Turns that run now may have been given some of it before.
        others = self._unended.running_of(order.user)
        forgotten = await self._forgotten(order, rows.memory_ids)
        receipt = await self._forget_turns(order, forgotten, receipt)
        # Turns that ended while they were being stopped have rows by now.
        receipt = with_stores(receipt, (await self._indexer.ask(ForgetRows(order=order))).stores)
        receipt = msgspec.structs.replace(receipt, state="forgotten")
        await self._keep(receipt)
        log.info("%s: %d turns of a %s are forgotten", order.forget_id, len(forgotten.turn_ids), order.scope)
        if others and not forgotten.is_nothing:
            receipt = await self._end_others(others, order, forgotten, receipt)
            receipt = await self._forget_turns(order, forgotten, receipt)
        return receipt

    async def _end_others(
        self, others: set[str], order: ForgetRequested, forgotten: Forgotten, receipt: Receipt
    ) -> Receipt:
        """Returns when no other turn of the user knows any of it and can still repeat it."""
        # Cleared answers repeated it too. Turns may have been removed before an earlier try was interrupted.
        turn_ids = forgotten.turn_ids | {*receipt.turns, *receipt.answers}
        forgotten = msgspec.structs.replace(forgotten, turn_ids=turn_ids)
        async for turn_id in self._unended.waiting_and_given(order.user, others, forgotten):
            # The receipt names it first: its documents may not say what it was given.
            answers = each_once([turn_id], receipt.answers)[:_NAMED_TURNS]
            receipt = msgspec.structs.replace(receipt, answers=answers)
            await self._keep(receipt)
            await self._unended.cancel(order.user, turn_id)
        return receipt

    async def _forget_turns(self, order: ForgetRequested, forgotten: Forgotten, receipt: Receipt) -> Receipt:
        given = receipt.answers
        answers = await affected_answers(order.user, forgotten, self._documents, given)
        receipt = msgspec.structs.replace(
            receipt,
            turns=each_once(receipt.turns, sorted(forgotten.turn_ids))[:_NAMED_TURNS],
            answers=each_once(receipt.answers, answers)[:_NAMED_TURNS],
        )
        await self._keep(receipt)  # From here on only the receipt names them all.
        await self._traces.announce([*forgotten.turn_ids, *answers])
        messages = await self._traces.remove(order, forgotten, answers)
        for turn_id in answers:
            await clear_answer(order.user, turn_id, forgotten, self._documents, self._indexer, given)
        # Files before folders, whose records name the files.
        files = await forget_files(order, forgotten, self._documents, self._files)
        folders = [await self._documents.remove(turn_id) for turn_id in sorted(forgotten.turn_ids)]
        stores = [
            StoreReceipt(store="documents", removed=sum(folders), erased=True),
            StoreReceipt(store="files", removed=files, erased=True),
            StoreReceipt(store="streams", removed=messages),
            StoreReceipt(store="keys", removed=await self._settings.forget(order)),
            StoreReceipt(store="caches", removed=0, erased=True),
        ]
        return with_stores(receipt, stores)

    async def _known(self, order: ForgetRequested) -> Receipt | None:
        try:
            return await self._indexer.ask(GetReceipt(user=order.user, forget_id=order.forget_id))
        except Refused:
            return None

    async def _keep(self, receipt: Receipt) -> None:
        await self._indexer.ask(KeepReceipt(receipt=receipt))

    async def _forgotten(self, order: ForgetRequested, memory_ids: Sequence[str]) -> Forgotten:
        """Where an earlier try was interrupted, this has at least everything that is left."""
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
        return Forgotten(
            turn_ids=frozenset([one for one in turn_ids if await self._began_before(one, order)]),
            session_id=order.target if order.scope == "session" else None,
            memory_ids=frozenset([*memory_ids, *([order.target] if order.scope == "memory" else [])]),
            until=order.requested_at if order.scope in ("session", "user") else None,
        )

    async def _began_before(self, turn_id: str, order: ForgetRequested) -> bool:
        record = await read_record(self._documents, turn_id)
        return record is None or order.scope == "turn" or record.requested_at <= order.requested_at
