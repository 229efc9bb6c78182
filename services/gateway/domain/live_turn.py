"""What the live events of a turn say about it, and the events that a saved turn would have sent."""

from collections.abc import Sequence
from typing import Any

from services.gateway.domain.views import TurnView, links_of
from shared.events import (
    AnyLiveEvent,
    Cancelled,
    Failed,
    OutputDelta,
    OutputRestarted,
    Queued,
    Saved,
    SourcesFound,
    Usage,
)
from shared.replies import TurnRecord, TurnStatus

_STATUS_AT_THE_END: dict[type[AnyLiveEvent], TurnStatus] = {
    Saved: "saved",
    Failed: "failed",
    Cancelled: "cancelled",
}


def view_of_events(events: Sequence[AnyLiveEvent], said: str) -> TurnView:
    """Needs the first event, which names the turn."""
    queued = events[0]
    if not isinstance(queued, Queued):
        raise ValueError("the first live event is not turn.queued")
    sources = [event.sources for event in events if isinstance(event, SourcesFound)]
    return TurnView(
        id=queued.turn_id,
        turn_number=queued.turn_number,
        session_id=queued.session_id,
        status=status_of(events),
        input=said,
        output=output_of(events),
        sources=sources[-1] if sources else [],
        usage=Usage(),
        links=links_of(queued.turn_id),
    )


def output_of(events: Sequence[AnyLiveEvent]) -> str:
    """The text so far, without what a restart has made void."""
    texts: list[str] = []
    for event in events:
        if isinstance(event, OutputDelta):
            texts.append(event.text)
        elif isinstance(event, OutputRestarted):
            texts.clear()
    return "".join(texts)


def status_of(events: Sequence[AnyLiveEvent]) -> TurnStatus:
    running: TurnStatus = "running" if len(events) > 1 else "queued"
    return _STATUS_AT_THE_END.get(type(events[-1]), running)


def events_of_record(record: TurnRecord) -> list[AnyLiveEvent]:
    """For a reader who comes after the live events have expired: the same story in fewer events.

    Indexes rise and the last one is the turn's real last index.
    """
    last = record.last_index
    names: dict[str, Any] = {
        "turn_id": record.turn_id,
        "turn_number": record.turn_number,
        "session_id": record.session_id,
    }
    events: list[AnyLiveEvent] = [
        Queued(index=0, user=record.user, **names),
        SourcesFound(index=max(1, last - 2), sources=record.sources),
        OutputDelta(index=max(2, last - 1), text=record.output),
    ]
    if record.status == "failed":
        reason, _, detail = (record.error or "").partition(": ")
        end: AnyLiveEvent = Failed(index=max(3, last), reason=reason, detail=detail, **names)
    elif record.status == "cancelled":
        end = Cancelled(index=max(3, last), **names)
    else:
        end = Saved(
            index=max(3, last),
            output=record.output,
            sources=record.sources,
            usage=record.usage,
            model=record.model,
            **names,
        )
    return [*events, end]
