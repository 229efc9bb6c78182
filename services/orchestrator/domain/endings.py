"""How a turn that has ended is told: its record, its stored event, and the last event of its stream."""

from datetime import datetime
from typing import Any

import msgspec

from services.orchestrator.domain.turn import PhaseRun, Turn
from shared.events import (
    AnyLiveEvent,
    Cancelled,
    Event,
    Failed,
    PhaseTiming,
    Saved,
    SeenImage,
    Timings,
    TurnCancelled,
    TurnFailed,
    TurnSaved,
)
from shared.replies import TurnRecord, TurnStatus


def images_of(turn: Turn) -> list[SeenImage]:
    """All of its images, also where the turn ended before anybody looked at them."""
    left = turn.request.images[len(turn.images) :]
    unseen = "the turn ended before"
    return [*turn.images, *(SeenImage(file_id=one, name=one, problem=unseen) for one in left)]


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What the index files a turn under; found by plain means, no model."""

    topic: str
    intent: str
    keywords: list[str]
    quality: float


def record_of(
    turn: Turn,
    labels: Labels,
    status: TurnStatus,
    ended_at: datetime,
    *,
    last_index: int,
    error: str | None = None,
) -> TurnRecord:
    """The turn as `metadata.json` keeps it, whatever its end."""
    gathering = sum(run.seconds for run in turn.phases if run.phase == "gather")
    return TurnRecord(
        turn_id=turn.turn_id,
        turn_number=turn.turn_number,
        session_id=turn.request.session_id,
        user=turn.request.user,
        status=status,
        input=turn.request.input,
        output=turn.output,
        recipe=turn.recipe_name,
        recipe_version="" if turn.chosen is None else turn.chosen.version,
        phases=[timing_of(run) for run in turn.phases],
        notes=turn.notes,
        model=turn.model,
        requested_at=turn.requested_at,
        ended_at=ended_at,
        turn_dir=turn.turn_dir,
        sources=turn.sources,
        usage=turn.usage,
        timings=Timings(
            gather_seconds=round(gathering, 6),
            first_token_seconds=round(turn.first_token_seconds, 6),
            total_seconds=round((ended_at - turn.started_at).total_seconds(), 6),
        ),
        topic=labels.topic,
        intent=labels.intent,
        keywords=labels.keywords,
        quality=labels.quality,
        quoted=turn.quoted,
        error=error,
        why_cancelled=turn.stopped if status == "cancelled" else None,
        steering=turn.steering,
        attempt=turn.attempt,
        metadata=turn.request.metadata,
        last_index=last_index,
        images=images_of(turn),
    )


def timing_of(run: PhaseRun) -> PhaseTiming:
    last = run.calls[-1] if run.calls else None
    return PhaseTiming(
        phase=run.phase,
        seconds=round(run.seconds, 6),
        role=last.role if last else None,
        model=last.model if last else None,
        input_tokens=sum(call.usage.input_tokens for call in run.calls),
        output_tokens=sum(call.usage.output_tokens for call in run.calls),
        cached_tokens=sum(call.usage.cached_tokens for call in run.calls),
        calls=len(run.calls),
        retries=sum(call.is_retry for call in run.calls),
    )


def saved_event(record: TurnRecord) -> TurnSaved:
    """The same event each time it is asked for: a redelivered turn tells the same story."""
    return TurnSaved(
        turn_id=record.turn_id,
        turn_number=record.turn_number,
        session_id=record.session_id,
        user=record.user,
        input=record.input,
        output=record.output,
        recipe=record.recipe,
        model=record.model,
        topic=record.topic,
        intent=record.intent,
        keywords=record.keywords,
        quality=record.quality,
        turn_dir=record.turn_dir,
        requested_at=record.requested_at,
        saved_at=record.ended_at,
        sources=record.sources,
        usage=record.usage,
        timings=record.timings,
        quoted=record.quoted,
        metadata=record.metadata,
        last_index=record.last_index,
        phases=record.phases,
        images=record.images,
    )


def outcome_of(record: TurnRecord) -> Event:
    """The stored event that tells of the turn's end."""
    names: dict[str, Any] = {**names_of(record), "user": record.user}
    if record.status == "saved":
        return saved_event(record)
    if record.status == "cancelled":
        return TurnCancelled(
            cancelled_at=record.ended_at,
            requested_at=record.requested_at,
            why=record.why_cancelled or "cancelled",
            input=record.input,
            output=record.output,
            recipe=record.recipe,
            model=record.model,
            images=record.images,
            **names,
        )
    reason, detail = reason_and_detail(record)
    return TurnFailed(reason=reason, detail=detail, failed_at=record.ended_at, **names)


def last_event_of(record: TurnRecord) -> AnyLiveEvent:
    """The live event that ends the turn's stream."""
    names: dict[str, Any] = {
        **names_of(record),
        "index": record.last_index,
        "attempt": record.attempt,
    }
    if record.status == "saved":
        return Saved(
            output=record.output, sources=record.sources, usage=record.usage, model=record.model, **names
        )
    if record.status == "cancelled":
        return Cancelled(why=record.why_cancelled or "cancelled", output=record.output, **names)
    reason, detail = reason_and_detail(record)
    return Failed(reason=reason, detail=detail, **names)


def reason_and_detail(record: TurnRecord) -> tuple[str, str]:
    reason, _, detail = (record.error or "").partition(": ")
    return reason, detail


def names_of(turn: TurnRecord | Turn) -> dict[str, Any]:
    """What every last event says of its turn."""
    session_id = turn.session_id if isinstance(turn, TurnRecord) else turn.request.session_id
    return {"turn_id": turn.turn_id, "turn_number": turn.turn_number, "session_id": session_id}
