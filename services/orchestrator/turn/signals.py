"""What happens to a turn while a process runs it. Each signal is one step of `advance`."""

from typing import Literal

import msgspec

from services.orchestrator.recipes.recipe import Chosen
from services.orchestrator.turn.found import Found, WrittenDown
from services.orchestrator.turn.thoughts import ModelCall
from shared.contract.events import AnyLiveEvent
from shared.contract.requests import TurnRecord

WhyStoppedHere = Literal["interrupted", "replaced", "handed_back"]


class Failure(msgspec.Struct, frozen=True):
    """Why an attempt did not come to its end, or why the turn fails."""

    reason: str
    detail: str
    retry_in: float | None = None
    """Seconds; None: another attempt is of no use."""


# --- from its beginning to its end ---


class Taken(msgspec.Struct, frozen=True):
    """This process holds the lease."""


class RecordFound(msgspec.Struct, frozen=True):
    record: TurnRecord | None
    """None: the turn has no folder yet."""


class RecipeChosen(msgspec.Struct, frozen=True):
    chosen: Chosen | None
    """None: there is no recipe of that name."""
    notes: list[str]
    known: list[str]
    """The names of all recipes."""


class Begun(msgspec.Struct, frozen=True):
    """The first event of an attempt is sent."""

    events: list[AnyLiveEvent]
    """All that any attempt has sent."""


class Announced(msgspec.Struct, frozen=True):
    """These live events were sent, in this order."""

    events: list[AnyLiveEvent]


class PhaseReturned(msgspec.Struct, frozen=True):
    found: Found
    calls: list[ModelCall] = []
    notes: list[str] = []


class PhaseCut(msgspec.Struct, frozen=True):
    """The phase was stopped and found nothing."""


class Rejoined(msgspec.Struct, frozen=True):
    """What a phase had sent until it broke off was read back from the stream."""

    events: list[AnyLiveEvent]


class Failed(msgspec.Struct, frozen=True):
    """A phase failed, or the choice of a recipe."""

    failure: Failure


class Broken(msgspec.Struct, frozen=True):
    """What has to be done could not be, for an unexpected reason."""

    detail: str


class PauseOver(msgspec.Struct, frozen=True):
    attempt: int
    """The one that failed."""


class FolderWritten(msgspec.Struct, frozen=True):
    written: WrittenDown


class EndTold(msgspec.Struct, frozen=True):
    """Readers and all other services know how the turn ended."""


class LeaseGivenUp(msgspec.Struct, frozen=True):
    """Freed, or handed back."""


class LeaseLost(msgspec.Struct, frozen=True):
    """Another process runs the turn now."""


# --- checkpoints and time ---


class CheckpointDue(msgspec.Struct, frozen=True):
    phases: int
    """How many phases had ended when it was asked for."""


class CheckpointWritten(msgspec.Struct, frozen=True):
    number: int


class TimeUp(msgspec.Struct, frozen=True):
    """The time of the phase is over, unless it has waited for a person."""

    spent_seconds: float
    """Since the phase began."""


# --- what others ask of it ---


class Stopped(msgspec.Struct, frozen=True):
    """A newer turn of the session goes first, or this process hands its turns back."""

    why: WhyStoppedHere


class CancelAsked(msgspec.Struct, frozen=True):
    asker: int


class SteeringAsked(msgspec.Struct, frozen=True):
    asker: int
    text: str


class DecisionAsked(msgspec.Struct, frozen=True):
    """A person allows tool calls, or denies them; or a client says what came of a call that it made."""

    asker: int
    call: str
    """Its key; empty: all that wait for a person."""
    answer: bool | str
    """A text: the client's."""


# --- what a phase asks of it ---


class AnswerAsked(msgspec.Struct, frozen=True):
    """The phase is about to answer the user, and has heard so many steering messages."""

    heard: int


class CallAsked(msgspec.Struct, frozen=True):
    """A tool is about to be called."""

    asker: int
    key: str
    tool: str
    answer_seconds: float | None
    """How long it waits for a person or the client; None: it needs neither."""
    for_client: bool = False


class CallEnded(msgspec.Struct, frozen=True):
    key: str


class ApprovalExpired(msgspec.Struct, frozen=True):
    key: str


RunSignal = (
    Taken
    | RecordFound
    | RecipeChosen
    | Begun
    | Failed
    | Broken
    | PauseOver
    | FolderWritten
    | EndTold
    | LeaseGivenUp
    | LeaseLost
    | CheckpointDue
    | CheckpointWritten
)
"""How far the run is."""
PhaseSignal = Announced | PhaseReturned | PhaseCut | Rejoined | TimeUp
ControlSignal = Stopped | CancelAsked | SteeringAsked | DecisionAsked
QuestionSignal = AnswerAsked | CallAsked | CallEnded | ApprovalExpired
"""What a phase asks."""
TimerSignal = PauseOver | CheckpointDue | ApprovalExpired
"""What a turn sends to itself, later."""
Signal = RunSignal | PhaseSignal | ControlSignal | QuestionSignal
