"""A turn on its way through the phases: one frozen value that each phase returns anew."""

from datetime import datetime

import msgspec

from services.orchestrator.domain.recipes import PhaseName
from shared.events import Source, Timings, TurnRequested, TurnSaved, Usage
from shared.replies import Passage, TurnRecord, TurnRow, TurnStatus


class PhaseRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one phase took."""

    phase: PhaseName
    started_at: datetime
    seconds: float
    model: str | None = None
    usage: Usage = Usage()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of a turn so far."""

    request: TurnRequested
    turn_number: int
    requested_at: datetime
    started_at: datetime
    next_phase: int = 0
    next_index: int = 0
    """The first index on the live stream that is still free."""

    history: list[TurnRow] = []
    passages: list[Passage] = []
    memory_was_away: bool = False
    """Memory could not be asked: the answer was given without it."""

    output: str = ""
    model: str = ""
    finish_reason: str = ""
    sources: list[Source] = []
    quoted: bool = False
    usage: Usage = Usage()
    first_token_seconds: float = 0.0
    phases: list[PhaseRun] = []
    record: TurnRecord | None = None
    """What was written down; None until then."""

    @property
    def turn_id(self) -> str:
        return self.request.turn_id

    @property
    def turn_dir(self) -> str:
        return turn_dir(self.turn_number)

    @property
    def was_aborted(self) -> bool:
        return self.finish_reason == "abort"


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What the index files a turn under; found by plain means, no model."""

    topic: str
    intent: str
    keywords: list[str]
    quality: float


def turn_dir(turn_number: int) -> str:
    return f"turn_{turn_number:06d}"


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
    seconds = {run.phase: run.seconds for run in turn.phases}
    return TurnRecord(
        turn_id=turn.turn_id,
        turn_number=turn.turn_number,
        session_id=turn.request.session_id,
        user=turn.request.user,
        status=status,
        input=turn.request.input,
        output=turn.output,
        recipe=turn.request.recipe,
        model=turn.model,
        requested_at=turn.requested_at,
        ended_at=ended_at,
        turn_dir=turn.turn_dir,
        sources=turn.sources,
        usage=turn.usage,
        timings=Timings(
            gather_seconds=round(seconds.get("gather", 0.0), 6),
            first_token_seconds=round(turn.first_token_seconds, 6),
            total_seconds=round((ended_at - turn.started_at).total_seconds(), 6),
        ),
        topic=labels.topic,
        intent=labels.intent,
        keywords=labels.keywords,
        quality=labels.quality,
        quoted=turn.quoted,
        error=error,
        metadata=turn.request.metadata,
        last_index=last_index,
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
    )
