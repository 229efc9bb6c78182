"""A turn on its way through the phases: one frozen value that each phase returns anew."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from services.orchestrator.recipes.recipe import Chosen, PhaseName, Recipe, Role
from services.orchestrator.turn.approval import Approval
from services.orchestrator.turn.thoughts import (
    Analysis,
    CallResult,
    Gate,
    ModelCall,
    Plan,
    PlannedCall,
    Verdict,
)
from shared.contract.events import (
    AnyLiveEvent,
    LiveEvent,
    SeenImage,
    Source,
    TurnRequested,
    Usage,
    WhyCancelled,
)
from shared.contract.requests import Passage, RoleName, TurnRecord, TurnRow

E = TypeVar("E", bound=LiveEvent)


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
    """It was told to stop; kept, so that a process that takes the turn over ends it too."""
    steering: list[str] = []
    """What was added to the input while the turn ran."""
    earlier: list[str] = []
    """Ids of the session's last turns; the index may not know them yet."""
    history_from: str = ""
    """The id of the first turn of the history that the session's last turn was given."""

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

    def event_after(self, sent: Sequence[AnyLiveEvent], kind: type[E], **fields: Any) -> E:
        """The next event of its live stream, where `sent` follow those that are known."""
        return kind(index=self.next_index + len(sent), attempt=self.attempt, **fields)

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
    def history_begins(self) -> str:
        """As `history_from`, for the session's next turn."""
        return self.history[0].turn_id if self.history else self.history_from

    @property
    def said(self) -> str:
        """All that the user said in this turn."""
        return "\n\n".join((self.request.input, *self.steering))


def new_turn(
    request: TurnRequested,
    turn_number: int,
    requested_at: datetime,
    now: datetime,
    *,
    attempt: int = 1,
    earlier: Sequence[str] = (),
    history_from: str = "",
) -> Turn:
    """`earlier`: ids of the session's last turns. `history_from`: where the last history began."""
    return Turn(
        request=request,
        turn_number=turn_number,
        requested_at=requested_at,
        started_at=now,
        phase_started_at=now,
        attempt=attempt,
        earlier=list(earlier),
        history_from=history_from,
    )


def turn_dir(turn_number: int) -> str:
    """`012/turn_012345`: at most a thousand turns in one folder."""
    digits = f"{turn_number:06d}"
    return f"{digits[:-3]}/turn_{digits}"
