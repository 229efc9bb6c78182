"""A turn on its way through the phases: one frozen value that each phase returns anew."""

from datetime import datetime
from typing import Any

import msgspec

from services.orchestrator.domain.approval import Approval
from services.orchestrator.domain.recipes import Chosen, PhaseName, Recipe, Role
from services.orchestrator.domain.thoughts import (
    Analysis,
    CallResult,
    Gate,
    ModelCall,
    Plan,
    PlannedCall,
    Verdict,
)
from shared.events import (
    AnyLiveEvent,
    Cancelled,
    Event,
    Failed,
    PhaseTiming,
    Saved,
    SeenImage,
    Source,
    Timings,
    TurnCancelled,
    TurnFailed,
    TurnRequested,
    TurnSaved,
    Usage,
    WhyCancelled,
)
from shared.replies import Passage, RoleName, TurnRecord, TurnRow, TurnStatus


class PhaseRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one phase took."""

    phase: PhaseName
    started_at: datetime
    seconds: float
    calls: list[ModelCall] = []


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of a turn so far."""

    request: TurnRequested
    turn_number: int
    requested_at: datetime
    started_at: datetime
    phase_started_at: datetime
    chosen: Chosen | None = None
    """The recipe, once the turn has begun."""
    events: list[AnyLiveEvent] = []
    """Everything on its live stream so far, without gaps."""
    attempt: int = 1
    failures: int = 0
    """Attempts that ended because something was away."""
    stopped: WhyCancelled | None = None
    """It was told to stop; kept, so that nobody who takes the turn over goes on with it."""
    steering: list[str] = []
    """What was added to the input while the turn ran."""
    earlier: list[str] = []
    """Ids of the session's last turns; the index may not know them yet."""

    images: list[SeenImage] = []
    """Those that were looked at, so far."""
    analysis: Analysis | None = None
    gate: Gate | None = None
    history: list[TurnRow] | None = None
    """The session's last turns; None until they were read."""
    passages: list[Passage] = []
    memory_was_away: bool = False
    """Memory could not be asked: the answer was given without it."""
    digest: str = ""
    """What else memory holds, compressed, since it is more than the budget."""
    plans: list[Plan] = []
    results: list[CallResult] = []
    verdicts: list[Verdict] = []
    approval: Approval = Approval()
    notes: list[str] = []
    """Where a phase went on with its default, and why."""
    calls: list[ModelCall] = []
    """Of models, in all phases; in order."""

    output: str = ""
    model: str = ""
    finish_reason: str = ""
    sources: list[Source] = []
    quoted: bool = False
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
    def next_index(self) -> int:
        """The first index on the live stream that is still free."""
        return self.events[-1].index + 1 if self.events else 0

    @property
    def recipe(self) -> Recipe:
        if self.chosen is None:
            raise RuntimeError(f"turn {self.turn_number} has not begun")
        return self.chosen.recipe

    def role(self, name: RoleName) -> Role:
        if self.chosen is None:
            raise RuntimeError(f"turn {self.turn_number} has not begun")
        return self.chosen.role(name)

    @property
    def recipe_name(self) -> str:
        return self.request.recipe if self.chosen is None else self.chosen.name

    @property
    def is_answered(self) -> bool:
        ended = {run.phase for run in self.phases}
        return "synthesis" in ended or ("gate" in ended and self.gate is not None and self.gate.text != "")

    @property
    def is_shown(self) -> bool:
        """Its readers have the answer, or shall have it again."""
        is_approved = bool(self.verdicts) and self.verdicts[-1].decision == "approve"
        return self.is_answered and (is_approved or not self.recipe.hold_back)

    @property
    def planned(self) -> list[PlannedCall]:
        """What the last plan calls, as far as the recipe allows it."""
        if not self.plans:
            return []
        left = self.recipe.bounds.calls - len(self.results)
        return self.plans[-1].calls[: max(0, left)]

    @property
    def usage(self) -> Usage:
        """Of all models that were asked."""
        return Usage(
            input_tokens=sum(call.usage.input_tokens for call in self.calls),
            output_tokens=sum(call.usage.output_tokens for call in self.calls),
            cached_tokens=sum(call.usage.cached_tokens for call in self.calls),
        )

    @property
    def said(self) -> str:
        """All that the user said in this turn."""
        return "\n\n".join((self.request.input, *self.steering))


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
