"""Events that come after a request to forget them, or what they repeat.

They are not stored, and are erased from their stream. Of an answer that repeats something forgotten, only
the question is stored.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Protocol, TypeVar

from services.indexer.forgetting.arrivals import Origin
from services.indexer.forgetting.table import ForgottenTable
from shared.bus.deliveries import Delivery, Handler
from shared.bus.durables import INDEXER_TURN_SAVED, Durable
from shared.contract.events import (
    Event,
    ForgetRequested,
    MemoryExtracted,
    MemorySaved,
    ResearchSaved,
    SourceObserved,
    TurnCancelled,
    TurnSaved,
)
from shared.contract.requests import ClearAnswers

log = logging.getLogger(__name__)
MayBeForgotten = TurnCancelled | MemorySaved | MemoryExtracted | ResearchSaved | SourceObserved
E = TypeVar("E", bound=MayBeForgotten)
Erase = Callable[[str, int], Awaitable[None]]
"""Erases a message from a stream, by its number. Raises Transient."""
Ended = TurnSaved | TurnCancelled
Store = Callable[[Sequence[TurnSaved]], Awaitable[Sequence[Event]]]
"""Stores turns, and returns what is to be published."""


class Removal(Protocol):
    """Removes rows and points; their bytes are erased later. To do so again changes nothing. Raises
    Transient."""

    async def forget(self, order: ForgetRequested) -> object: ...

    async def clear_answers(self, request: ClearAnswers) -> object: ...


class Noted(Protocol):
    """Where the streams hold the events that come."""

    def expect(self, stream: str, delivery: Delivery, origin: Origin) -> None: ...

    async def note(self) -> None:
        """Writes down what is expected. Raises Transient."""
        ...


class LateEvents:
    """Puts itself before the handlers of stored events. Notes each before it looks what is forgotten."""

    def __init__(self, forgotten: ForgottenTable, arrivals: Noted, removal: Removal, erase: Erase) -> None:
        self._forgotten = forgotten
        self._arrivals = arrivals
        self._removal = removal
        self._erase = erase

    def before(
        self,
        durable: Durable[Any],
        handle: Callable[[E], Awaitable[Sequence[Event]]],
        undo: Callable[[E], Awaitable[None]] | None = None,
    ) -> Handler[E]:
        """Calls `handle` with events that are not forgotten.

        `undo`: called with an event that was forgotten while it was handled.
        """

        async def take(event: E, delivery: Delivery) -> Sequence[Event]:
            self._arrivals.expect(durable.stream, delivery, _origin_of(event, delivery.stored_at))
            await self._arrivals.note()
            if not await self.is_forgotten(event, delivery.stored_at):
                follow_ups = await handle(event)
                if undo is None or not await self.is_forgotten(event, delivery.stored_at):
                    return follow_ups
                await undo(event)
            await self._erase(durable.stream, delivery.sequence)
            return []

        return take

    def before_turns(self, take_batch: Handler[TurnSaved]) -> Handler[TurnSaved]:
        """`take_batch` returns nothing for a turn that is forgotten."""

        async def take(event: TurnSaved, delivery: Delivery) -> Sequence[Event]:
            stream = INDEXER_TURN_SAVED.stream
            self._arrivals.expect(stream, delivery, _origin_of(event, delivery.stored_at))
            if not (follow_ups := await take_batch(event, delivery)):
                await self._erase(stream, delivery.sequence)
            return follow_ups

        return take

    async def store_turns(self, events: Sequence[TurnSaved], store: Store) -> Sequence[Event]:
        """Stores those that are not forgotten, and removes those that were forgotten meanwhile."""
        await self._arrivals.note()  # Those of the whole batch, and more that came meanwhile.
        wanted = await self._not_forgotten(events)
        follow_ups = await store(wanted) if wanted else []
        still_wanted = await self._not_forgotten(wanted)
        for event in wanted:
            if event not in still_wanted:
                await self.forget_turn(event)
        await self.clear_answers(still_wanted)
        return [event for event in follow_ups if event.about in {kept.turn_id for kept in still_wanted}]

    async def forget_turn(self, event: Ended) -> None:
        """Removes a turn that was forgotten while it was stored."""
        log.info("turn %d was forgotten while it was written", event.turn_number)
        await self._removal.forget(_order_about(event))

    async def clear_answers(self, events: Sequence[Ended]) -> None:
        """Removes answers that were cleared before or while they were stored.

        An order to clear an answer changes the rows that are there. Of an event that was on its way then,
        the rows come later.
        """
        cleared = await self._forgotten.cleared([event.turn_id for event in events]) if events else set()
        late = sorted((event.user, event.turn_id) for event in events if event.turn_id in cleared)
        if not late:
            return
        for user, turns in groupby(late, key=lambda turn: turn[0]):
            turn_ids = [turn_id for _, turn_id in turns]
            log.info("%d answers were cleared while they were written", len(turn_ids))
            await self._removal.clear_answers(ClearAnswers(user=user, turn_ids=turn_ids))

    async def _not_forgotten(self, events: Sequence[TurnSaved]) -> list[TurnSaved]:
        covered = await self._forgotten.covered(
            [(event.user, event.session_id, event.turn_id, event.requested_at) for event in events]
        )
        return [event for i, event in enumerate(events) if i not in covered]

    async def is_forgotten(self, event: MayBeForgotten, stored_at: datetime) -> bool:
        origin = _origin_of(event, stored_at)
        said = (origin.user, origin.session_id, origin.turn_id, origin.began_at)
        return bool(await self._forgotten.covered([said]))


def _origin_of(event: MayBeForgotten | TurnSaved, stored_at: datetime) -> Origin:
    match event:
        case TurnSaved():
            return Origin(event.user, event.session_id, event.turn_id, event.requested_at)
        case TurnCancelled():
            began = event.requested_at or event.cancelled_at
            return Origin(event.user, event.session_id, event.turn_id, began)
        case ResearchSaved():
            began = min(event.requested_at or event.fetched_at, stored_at)
            return Origin(event.user, event.session_id or "", event.turn_id or "", began)
        case SourceObserved():
            return Origin(event.user, "", event.turn_id or "", min(event.at, stored_at))
        case MemorySaved() | MemoryExtracted():
            statement = event.statement
            began = (statement.said_at if statement.turn_id else None) or stored_at
            return Origin(event.user, statement.session_id, statement.turn_id or "", began, event.memory_id)


def _order_about(event: Ended) -> ForgetRequested:
    """Named after the turn, so it is noted once however often it comes."""
    return ForgetRequested(
        forget_id=event.turn_id,
        user=event.user,
        scope="turn",
        target=event.turn_id,
        requested_at=event.saved_at if isinstance(event, TurnSaved) else event.cancelled_at,
    )
