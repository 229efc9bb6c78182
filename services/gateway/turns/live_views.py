"""What the live events of a turn say about it."""

from collections.abc import Sequence

from services.gateway.turns.views import TurnView, links_of
from shared.contract.derivation import derive
from shared.contract.events import (
    AnyLiveEvent,
    Cancelled,
    Failed,
    Queued,
    Saved,
    Source,
    SourcesFound,
    Usage,
    output_of,
)
from shared.contract.requests import TurnStatus, UnendedTurn

_STATUS_AT_THE_END: dict[type[AnyLiveEvent], TurnStatus] = {
    Saved: "saved",
    Failed: "failed",
    Cancelled: "cancelled",
}


def view_of_unended(turn: UnendedTurn, events: Sequence[AnyLiveEvent]) -> TurnView:
    """`events` are those that are still stored; none where the turn has waited for long."""
    queued = turn.status == "queued"
    return derive(
        TurnView,
        turn,
        id=turn.turn_id,
        output=output_of(events),
        sources=sources_of(events),
        usage=Usage(),
        links=links_of(turn.turn_id),
        position=turn.position if queued else None,
        estimate_seconds=turn.estimate_seconds if queued else None,
    )


def view_of_events(events: Sequence[AnyLiveEvent]) -> TurnView:
    """Shows a turn that the orchestrator does not know yet, or has just ended, without its input.

    Raises ValueError where no event is `turn.queued`.
    """
    queued = next((event for event in events if isinstance(event, Queued)), None)
    if queued is None:
        raise ValueError("no live event is turn.queued")
    return TurnView(
        id=queued.turn_id,
        turn_number=queued.turn_number,
        session_id=queued.session_id,
        status=status_of(events),
        input="",
        output=output_of(events),
        sources=sources_of(events),
        usage=Usage(),
        links=links_of(queued.turn_id),
    )


def sources_of(events: Sequence[AnyLiveEvent]) -> list[Source]:
    sources = [event.sources for event in events if isinstance(event, SourcesFound)]
    return sources[-1] if sources else []


def status_of(events: Sequence[AnyLiveEvent]) -> TurnStatus:
    """A turn that waits may send `turn.queued` many times."""
    waits = all(isinstance(event, Queued) for event in events)
    running: TurnStatus = "queued" if waits else "running"
    return _STATUS_AT_THE_END.get(type(events[-1]), running)
