"""A turn that has ended: its record, its stored event, and the last event of its stream."""

from datetime import datetime
from typing import Literal

from services.orchestrator.turn.labels import Labels
from services.orchestrator.turn.state import PhaseRun, Turn
from shared.contract.derivation import derive
from shared.contract.events import (
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
    WhyCancelled,
)
from shared.contract.requests import TurnRecord, TurnRow, TurnStatus


def images_of(turn: Turn) -> list[SeenImage]:
    """All images of the turn, also those that were not looked at before it ended."""
    left = turn.request.images[len(turn.images) :]
    unseen = "the turn ended before"
    return [*turn.images, *(SeenImage(file_id=one, name=one, problem=unseen) for one in left)]


def record_of(
    turn: Turn,
    labels: Labels,
    status: TurnStatus,
    ended_at: datetime,
    *,
    last_index: int,
    error: str | None = None,
) -> TurnRecord:
    """The turn as `metadata.json` keeps it, however it ended."""
    return derive(
        TurnRecord,
        turn,
        labels,
        turn.request,
        status=status,
        recipe=turn.recipe_name,
        recipe_version="" if turn.chosen is None else turn.chosen.version,
        phases=[timing_of(run) for run in turn.phases],
        timings=_timings_of(turn, ended_at),
        ended_at=ended_at,
        error=error,
        why_cancelled=turn.stopped if status == "cancelled" else None,
        last_index=last_index,
        images=images_of(turn),
    )


def _timings_of(turn: Turn, ended_at: datetime) -> Timings:
    return Timings(
        gather_seconds=round(sum(run.seconds for run in turn.phases if run.phase == "gather"), 6),
        first_token_seconds=round(turn.first_token_seconds, 6),
        total_seconds=round((ended_at - turn.started_at).total_seconds(), 6),
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


def row_of(record: TurnRecord) -> TurnRow:
    """The turn as the index will list it."""
    status: Literal["saved", "cancelled"] = "saved" if record.status == "saved" else "cancelled"
    return derive(TurnRow, record, at=record.ended_at, status=status)


def outcome_of(record: TurnRecord) -> Event:
    """The stored event that says how the turn ended. The same again for the same record."""
    match record.status:
        case "saved":
            return derive(TurnSaved, record, saved_at=record.ended_at)
        case "cancelled":
            return derive(TurnCancelled, record, cancelled_at=record.ended_at, why=_why(record))
        case _:
            reason, detail = reason_and_detail(record)
            return derive(TurnFailed, record, reason=reason, detail=detail, failed_at=record.ended_at)


def last_event_of(record: TurnRecord) -> AnyLiveEvent:
    """The live event that ends the turn's stream."""
    match record.status:
        case "saved":
            return derive(Saved, record, index=record.last_index)
        case "cancelled":
            return derive(Cancelled, record, index=record.last_index, why=_why(record))
        case _:
            reason, detail = reason_and_detail(record)
            return derive(Failed, record, index=record.last_index, reason=reason, detail=detail)


def _why(record: TurnRecord) -> WhyCancelled:
    return record.why_cancelled or "cancelled"


def reason_and_detail(record: TurnRecord) -> tuple[str, str]:
    reason, _, detail = (record.error or "").partition(": ")
    return reason, detail
