"""Forgets what a user asked to be forgotten, in every store, and writes down what became of it.

Each step may be done again: a request that a crash cut off comes again and is carried out from the start.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from services.orchestrator.archive import read_record
from services.orchestrator.domain.documents import EVENTS, METADATA, RESPONSE
from services.orchestrator.domain.forgetting import Gone, cleared, stands_on
from services.orchestrator.domain.queue import Waiting
from services.orchestrator.phases.tools import Clock
from services.orchestrator.ports import Documents
from shared.errors import Refused, Transient
from shared.events import Event, ForgetRequested, encode
from shared.replies import (
    ClearAnswers,
    Control,
    Controlled,
    EraseRows,
    ForgetRows,
    GetReceipt,
    KeepReceipt,
    Receipt,
    Reply,
    Request,
    Store,
    StoreReceipt,
)

log = logging.getLogger(__name__)
_ERASED_WITHIN = timedelta(seconds=60)
_STOPS_WITHIN_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_NAMED_TURNS = 100
_REMAINS = [
    "backups and snapshots of the data folder or of the databases, until they expire",
    "what other programs have read from NATS or over HTTP",
]


class Indexer(Protocol):
    async def ask(self, request: Request[Reply]) -> Reply:
        """Raises Transient and Refused."""
        ...


class Traces(Protocol):
    """What the streams hold of turns. Raises Transient."""

    async def remove(self, order: ForgetRequested, gone: Gone, also: Sequence[str]) -> int:
        """Erases every message of what is gone, and of the turns `also`; how many there were."""
        ...

    async def erase(self) -> None:
        """Makes the bytes of messages go that were overwritten or too old before."""
        ...

    async def tell(self, turn_ids: Sequence[str]) -> None:
        """Every orchestrator forgets these turns, if it remembers them."""
        ...


class Turns(Protocol):
    """Turns that wait or run, and how they are stopped."""

    def of_user(self, user: str) -> list[Waiting]: ...

    async def control(self, request: Control) -> Controlled: ...


class Forgetting:
    def __init__(
        self, indexer: Indexer, turns: Turns, documents: Documents, traces: Traces, clock: Clock
    ) -> None:
        self._indexer = indexer
        self._turns = turns
        self._documents = documents
        self._traces = traces
        self._clock = clock
        self._erasing = asyncio.Lock()

    async def on_forget_requested(self, orders: Sequence[ForgetRequested]) -> Sequence[Event]:
        """All of them are forgotten one after the other, then their bytes are erased together."""
        receipts = [await self._forget(order) for order in orders]
        async with self._erasing:
            await self._traces.erase()
            rows = (await self._indexer.ask(EraseRows())).stores
        erased: dict[Store, StoreReceipt] = {one.store: one for one in rows}
        for receipt in receipts:
            stores = [_erased(one, erased.get(one.store)) for one in receipt.stores]
            await self._keep(msgspec.structs.replace(receipt, state="erased", stores=stores))
        return []

    async def _forget(self, order: ForgetRequested) -> Receipt:
        if (known := await self._known(order)) is not None and known.state != "pending":
            return known  # It was forgotten before; only its bytes were not erased yet.
        # The indexer notes it before anything is removed: what comes late is held against the note.
        rows = await self._indexer.ask(ForgetRows(order=order))
        await self._keep(self._receipt(order))
        await self._stop_turns(order)
        gone = await self._gone(order, rows.memory_ids)
        folders = [await self._documents.remove(turn_id) for turn_id in sorted(gone.turn_ids)]
        answers = await self._clear_answers(order.user, gone)
        await self._traces.tell([*gone.turn_ids, *answers])
        messages = await self._traces.remove(order, gone, answers)
        # Turns that ended while they were being stopped have rows by now.
        rows_again = await self._indexer.ask(ForgetRows(order=order))
        receipt = msgspec.structs.replace(
            self._receipt(order),
            state="forgotten",
            stores=[
                *map(_sum, rows.stores, rows_again.stores),
                StoreReceipt(store="documents", removed=sum(folders), erased=True),
                StoreReceipt(store="streams", removed=messages),
                StoreReceipt(store="keys", removed=0),
                StoreReceipt(store="caches", removed=len(gone.turn_ids), erased=True),
            ],
            turns=sorted(gone.turn_ids)[:_NAMED_TURNS],
            answers=answers[:_NAMED_TURNS],
        )
        await self._keep(receipt)
        log.info("%s: %d turns of a %s are forgotten", order.forget_id, len(gone.turn_ids), order.scope)
        return receipt

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

    # --- turns ---

    async def _stop_turns(self, order: ForgetRequested) -> None:
        """Whatever of it waits or runs is cancelled first: its end writes documents and events."""
        stopped = [turn.request.turn_id for turn in self._turns.of_user(order.user) if _covers(order, turn)]
        for turn_id in stopped:
            try:
                await self._turns.control(Control(user=order.user, turn_id=turn_id, action="cancel"))
            except Refused as refusal:
                log.info("%s has ended by itself: %s", turn_id, refusal)
        try:
            async with asyncio.timeout(_STOPS_WITHIN_SECONDS):
                while self._unended(order.user) & set(stopped):  # noqa: ASYNC110 - the queue tells nobody
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            raise Transient("a turn that has to be forgotten does not end", retry_in=2.0) from error

    def _unended(self, user: str) -> set[str]:
        return {turn.request.turn_id for turn in self._turns.of_user(user)}

    async def _gone(self, order: ForgetRequested, memory_ids: Sequence[str]) -> Gone:
        match order.scope:
            case "memory":
                turns: list[tuple[int, str]] = []
            case "turn":
                record = await read_record(self._documents, order.target)
                own = record is not None and record.user == order.user
                turns = [(record.turn_number, record.turn_id)] if record is not None and own else []
            case "session":
                turns = await self._documents.turns_of(order.user, order.target)
            case "user":
                turns = await self._documents.turns_of(order.user)
        began_before = [turn for turn in turns if await self._began_before(turn[1], order)]
        return Gone(
            turn_ids=frozenset(turn_id for _, turn_id in began_before),
            session_id=order.target if order.scope == "session" else None,
            memory_ids=frozenset(memory_ids),
        )

    async def _began_before(self, turn_id: str, order: ForgetRequested) -> bool:
        record = await read_record(self._documents, turn_id)
        return record is None or order.scope == "turn" or record.requested_at <= order.requested_at

    async def _clear_answers(self, user: str, gone: Gone) -> list[str]:
        """Turns that had it before them keep what the user said; an answer that stood on it goes."""
        if gone.is_nothing:
            return []
        answers: list[str] = []
        for number, turn_id in await self._documents.turns_of(user):
            record = await read_record(self._documents, turn_id)
            events = await self._documents.read(turn_id, EVENTS) or ""
            if record is None or turn_id in gone.turn_ids or not stands_on(record, events, gone):
                continue
            new = cleared(record, gone)
            files = {METADATA: f"{encode(new).decode()}\n", RESPONSE: f"{new.output}\n"}
            await self._documents.remove(turn_id)
            await self._documents.write(number, turn_id, files)
            answers.append(turn_id)
            if new.output != record.output:
                await self._indexer.ask(ClearAnswers(user=user, turn_ids=[turn_id]))
        return answers


def _covers(order: ForgetRequested, turn: Waiting) -> bool:
    match order.scope:
        case "turn":
            return turn.request.turn_id == order.target
        case "session":
            return turn.request.session_id == order.target and turn.requested_at <= order.requested_at
        case "user":
            return turn.requested_at <= order.requested_at
        case "memory":
            return False


def _sum(first: StoreReceipt, second: StoreReceipt) -> StoreReceipt:
    return msgspec.structs.replace(first, removed=first.removed + second.removed)


def _erased(receipt: StoreReceipt, rows: StoreReceipt | None) -> StoreReceipt:
    if rows is None:
        return msgspec.structs.replace(receipt, erased=True)
    return msgspec.structs.replace(receipt, erased=rows.erased, remains=rows.remains)
