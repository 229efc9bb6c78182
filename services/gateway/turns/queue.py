"""The shapes of the queue over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.gateway.turns.views import Links, links_of
from shared.contract.derivation import derive
from shared.contract.events import AnyLiveEvent, ToolEnded, ToolWaiting
from shared.contract.requests import UnendedStatus, UnendedTurn, UnendedTurns


class WaitingCall(msgspec.Struct, kw_only=True, frozen=True):
    """A tool call that a person has to allow, or the turn's client has to make."""

    key: str
    """What to name to `approve` or `deny` this call alone, or with its `result`."""
    tool: str
    arguments: dict[str, Any]
    for_client: bool = False


class QueuedTurn(msgspec.Struct, kw_only=True, frozen=True):
    """A turn that has not ended."""

    id: str
    turn_number: int
    session_id: str
    status: UnendedStatus
    input: str
    requested_at: datetime
    position: int | None
    """Turns that go before this one while it is queued."""
    estimate_seconds: float | None
    """Until it begins, by what the last turns took."""
    calls: list[WaitingCall]
    links: Links


class QueueView(msgspec.Struct, kw_only=True, frozen=True):
    turns: list[QueuedTurn]
    """Oldest first."""
    next_cursor: str | None
    queued: int
    running: int
    waiting: int
    """How many of the user's turns have each status, on whatever page."""


def view_of_queue(reply: UnendedTurns, calls: dict[str, list[WaitingCall]]) -> QueueView:
    """`calls` are by the ids of turns."""
    return derive(
        QueueView,
        reply,
        turns=[_view_of(turn, calls.get(turn.turn_id, [])) for turn in reply.turns],
        next_cursor=str(reply.turns[-1].turn_number) if reply.more else None,
    )


def _view_of(turn: UnendedTurn, calls: list[WaitingCall]) -> QueuedTurn:
    queued = turn.status == "queued"
    return derive(
        QueuedTurn,
        turn,
        id=turn.turn_id,
        position=turn.position if queued else None,
        estimate_seconds=turn.estimate_seconds if queued else None,
        calls=calls,
        links=links_of(turn.turn_id),
    )


def calls_waiting(events: Sequence[AnyLiveEvent]) -> list[WaitingCall]:
    """Returns the calls that no answer and no end was seen for."""
    waiting: dict[str, WaitingCall] = {}
    for event in events:
        match event:
            case ToolWaiting(call=call):
                waiting[call] = derive(WaitingCall, event)
            case ToolEnded(call=call):
                waiting.pop(call, None)
            case _:
                pass
    return list(waiting.values())
