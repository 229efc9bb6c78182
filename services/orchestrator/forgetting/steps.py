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
from services.orchestrator.forgetting.affected_answers import Indexer, affected_answers, clear_answers
from services.orchestrator.forgetting.affected_turns import Forgotten
from services.orchestrator.forgetting.erasing import Erasing
from services.orchestrator.forgetting.files import forget_files
from services.orchestrator.forgetting.receipts import new_receipt, with_stores
from services.orchestrator.forgetting.together import Part, together, whole
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
replaced = msgspec.structs.replace


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
        """Carries out the orders, and erases their bytes where one of them asks for it."""
        receipts = [receipt for some in together(orders) for receipt in await self._forget(some)]
        at_once = any(order.now for order in orders) or self._erasing.is_at_once
        if at_once and any(receipt.state != "erased" for receipt in receipts):
            await self._erasing.erase()
        return []

    async def _forget(self, orders: Sequence[ForgetRequested]) -> list[Receipt]:
        """Those of one user that are carried out `together`."""
        parts = [Part(order=order, receipt=await self._receipt(order)) for order in orders]
        parts = [part for part in parts if part.receipt.state != "erased"]
        if parts:
            parts = await self._forget_parts(parts)
        return [part.receipt for part in parts]

    async def _forget_parts(self, parts: Sequence[Part]) -> list[Part]:
        # One after the other: turns of one session change each other's neighbours.
        parts = [await self._begin(part) for part in parts]
        for part in parts:
            await self._unended.stop(part.order)
        # Turns that run now may have been given some of it before.
        others = self._unended.running_of(parts[0].order.user)
        parts = [await self._found(part) for part in parts]
        parts = await self._forget_turns(parts)
        parts = [await self._end(part) for part in parts]
        if others and not whole(parts).is_nothing:
            parts = await self._end_others(others, parts)
            parts = await self._forget_turns(parts)
        return parts

    async def _receipt(self, order: ForgetRequested) -> Receipt:
        return await self._known(order) or new_receipt(order, self._clock() + self._erasing.within(order))

    async def _begin(self, part: Part) -> Part:
        # The indexer notes the order before anything is removed. It compares later messages with that note.
        rows = await self._indexer.ask(ForgetRows(order=part.order))
        return await self._kept(
            replaced(
                part,
                receipt=with_stores(part.receipt, rows.stores),
                forgotten=Forgotten(memory_ids=frozenset(rows.memory_ids)),
            )
        )

    async def _end(self, part: Part) -> Part:
        # Turns that ended while they were being stopped have rows by now.
        rows = await self._indexer.ask(ForgetRows(order=part.order))
        receipt = replaced(with_stores(part.receipt, rows.stores), state="forgotten")
        order, turns = part.order, len(part.forgotten.turn_ids)
        log.info("%s: %d turns of a %s are forgotten", order.forget_id, turns, order.scope)
        return await self._kept(replaced(part, receipt=receipt))

    async def _end_others(self, others: set[str], parts: Sequence[Part]) -> list[Part]:
        """Returns when no other turn of the user knows any of it and can still repeat it."""
        # Cleared answers repeated it too. Turns may have been removed before an earlier try was interrupted.
        named = [turn_id for part in parts for turn_id in (*part.receipt.turns, *part.receipt.answers)]
        forgotten = whole(parts)
        forgotten = replaced(forgotten, turn_ids=forgotten.turn_ids.union(named))
        user = parts[0].order.user
        async for turn_id in self._unended.waiting_and_given(user, others, forgotten):
            # The receipts name it: its documents may not say what it was given.
            parts = [await self._kept(part.naming([], [turn_id])) for part in parts]
            await self._unended.cancel(user, turn_id)
        return list(parts)

    async def _forget_turns(self, parts: Sequence[Part]) -> list[Part]:
        order, forgotten = parts[0].order, whole(parts)
        given = {turn_id for part in parts for turn_id in part.receipt.answers}
        affected = await affected_answers(order.user, forgotten, self._documents, given)
        # From here on only the receipts name them all.
        parts = [await self._kept(part.with_affected(affected)) for part in parts]
        answers = [one.turn_id for one in affected]
        await self._traces.announce([*forgotten.turn_ids, *answers])
        messages = await self._traces.remove(order, forgotten, answers)
        await clear_answers(affected, forgotten, self._documents, self._indexer, given)
        parts = [await self._remove_documents(part) for part in parts]
        stores = [
            StoreReceipt(store="streams", removed=messages),
            StoreReceipt(store="keys", removed=await self._settings.forget(order)),
            StoreReceipt(store="caches", removed=0, erased=True),
        ]
        # Which of them a message was about is not asked: the first one's receipt counts all.
        none = [replaced(store, removed=0) for store in stores]
        return [part.having_removed(none if number else stores) for number, part in enumerate(parts)]

    async def _remove_documents(self, part: Part) -> Part:
        # Files before folders, whose records name the files.
        files = await forget_files(part.order, part.forgotten, self._documents, self._files)
        folders = [await self._documents.remove(turn_id) for turn_id in sorted(part.forgotten.turn_ids)]
        return part.having_removed(
            [
                StoreReceipt(store="documents", removed=sum(folders), erased=True),
                StoreReceipt(store="files", removed=files, erased=True),
            ]
        )

    async def _known(self, order: ForgetRequested) -> Receipt | None:
        try:
            return await self._indexer.ask(GetReceipt(user=order.user, forget_id=order.forget_id))
        except Refused:
            return None

    async def _kept(self, part: Part) -> Part:
        await self._indexer.ask(KeepReceipt(receipt=part.receipt))
        return part

    async def _found(self, part: Part) -> Part:
        """Where an earlier try was interrupted, this has at least everything that is left."""
        order, memory_ids = part.order, part.forgotten.memory_ids
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
        forgotten = Forgotten(
            turn_ids=frozenset([one for one in turn_ids if await self._began_before(one, order)]),
            session_id=order.target if order.scope == "session" else None,
            memory_ids=frozenset([*memory_ids, *([order.target] if order.scope == "memory" else [])]),
            until=order.requested_at if order.scope in ("session", "user") else None,
        )
        return replaced(part, forgotten=forgotten)

    async def _began_before(self, turn_id: str, order: ForgetRequested) -> bool:
        record = await read_record(self._documents, turn_id)
        return record is None or order.scope == "turn" or record.requested_at <= order.requested_at
