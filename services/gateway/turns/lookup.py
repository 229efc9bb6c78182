"""Finds a turn where it is now: in its documents, at the orchestrator, or only in its live events."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import time
from typing import TypeVar

from uuid_utils import UUID

from services.gateway.asking.ports import Ask
from services.gateway.live.ports import LiveTurns
from services.gateway.turns.live_views import status_of, view_of_events, view_of_unended
from services.gateway.turns.queue import QueueView, calls_waiting, view_of_queue
from services.gateway.turns.refusals import checked_id, no_such_turn
from services.gateway.turns.views import TurnView, view_of_record
from shared.contract.errors import Refused
from shared.contract.events import AnyLiveEvent, Queued
from shared.contract.requests import FindUnended, GetTurn, ListUnended

R = TypeVar("R")
_UNENDED = ("queued", "running", "waiting")
_HANDED_IN_SECONDS = 60.0


class Lookup:
    """Another user's turn is answered like one that does not exist."""

    def __init__(self, ask: Ask, live: LiveTurns) -> None:
        self._ask = ask
        self._live = live

    async def number(self, turn_id: str, user: str) -> int | None:
        """Returns the number of a user's turn; None where the user has no such turn."""
        find_record = partial(self._ask, GetTurn(user=user, turn_id=turn_id))
        if (record := await _unless_unknown(find_record)) is not None:
            return record.turn_number
        unended = await _unless_unknown(partial(self._ask, FindUnended(user=user, turn_id=turn_id)))
        if unended is not None:
            return unended.turn_number
        record = await _unless_unknown(find_record)  # It may have ended between the two requests.
        return None if record is None else record.turn_number

    async def turn(self, turn_id: str, user: str) -> TurnView:
        """Raises Refused (404)."""
        find_record = partial(self._ask, GetTurn(user=user, turn_id=checked_id(turn_id)))
        if (record := await _unless_unknown(find_record)) is not None:
            return view_of_record(record)
        unended = await _unless_unknown(partial(self._ask, FindUnended(user=user, turn_id=turn_id)))
        events = await self._live.events(turn_id)
        if unended is None and not _are_owned(events, user):
            raise no_such_turn(turn_id)
        has_ended = bool(events) and status_of(events) not in ("queued", "running")
        # Where it ended between the two requests, its documents are there by now.
        if (unended is None or has_ended) and (record := await _unless_unknown(find_record)) is not None:
            return view_of_record(record)
        return view_of_events(events) if unended is None else view_of_unended(unended, events)

    async def has_ended(self, turn_id: str, user: str) -> bool:
        """True also of a turn that nobody knows, unless it may have been handed in this minute."""
        try:
            return (await self.turn(turn_id, user)).status not in _UNENDED
        except Refused as refusal:
            if refusal.status != 404:
                raise
            return time() - UUID(turn_id).timestamp / 1000 > _HANDED_IN_SECONDS

    async def check_owner(self, turn_id: str, user: str) -> None:
        """Raises Refused (404) where the user has no such turn."""
        owner = await self._live.owner(checked_id(turn_id))
        if owner is None and await self.number(turn_id, user) is not None:
            owner = user
        if owner != user:
            raise no_such_turn(turn_id)

    async def queue(self, asked: ListUnended) -> QueueView:
        """Which tool calls wait for a person is only in the live events of a turn."""
        reply = await self._ask(asked)
        waiting = [turn.turn_id for turn in reply.turns if turn.status == "waiting"]
        return view_of_queue(reply, {one: calls_waiting(await self._live.events(one)) for one in waiting})


async def _unless_unknown(ask: Callable[[], Awaitable[R]]) -> R | None:
    """Returns None for a refusal with 404. Raises any other."""
    try:
        return await ask()
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise


def _are_owned(events: Sequence[AnyLiveEvent], user: str) -> bool:
    return any(isinstance(event, Queued) and event.user == user for event in events)
