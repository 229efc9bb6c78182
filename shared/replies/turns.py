"""turns.* and turn.control.*: what the orchestrator answers."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from shared.events import (
    PhaseTiming,
    SeenImage,
    SessionId,
    Source,
    Timings,
    TurnId,
    Usage,
    User,
    WhyCancelled,
)
from shared.replies.request import Request

TurnStatus = Literal["queued", "running", "waiting", "saved", "failed", "cancelled"]
UnendedStatus = Literal["queued", "running", "waiting"]


class TurnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that has ended, as its documents tell it."""

    turn_id: str
    turn_number: int
    session_id: str
    user: str
    status: TurnStatus
    input: str
    output: str
    recipe: str
    model: str
    requested_at: datetime
    ended_at: datetime
    turn_dir: str
    recipe_version: str = ""
    """Of the files that the recipe and its roles were read from; the beginning of a hash."""
    phases: list[PhaseTiming] = []
    """Those that have ended, in the order in which they ran; save is not among them."""
    notes: list[str] = []
    """Where a phase went on without a model's word, and why."""
    sources: list[Source] = []
    usage: Usage = Usage()
    timings: Timings = Timings()
    topic: str = ""
    intent: str = ""
    keywords: list[str] = []
    quality: float = 0.0
    quoted: bool = False
    error: str | None = None
    why_cancelled: WhyCancelled | None = None
    steering: list[str] = []
    """What was added to the turn while it ran."""
    attempt: int = 1
    """Runs that it took."""
    metadata: dict[str, str] = {}
    last_index: int = 0
    images: list[SeenImage] = []


class GetTurn(Request[TurnRecord], frozen=True, kw_only=True):
    """anyone -> orchestrator: an ended turn; refused with 404 where the user has no such turn."""

    subject: ClassVar[str] = "turns.get"

    user: User
    turn_id: TurnId


class DocumentsReply(msgspec.Struct, frozen=True, kw_only=True):
    names: list[str]


class ListDocuments(Request[DocumentsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the names of a turn's documents."""

    subject: ClassVar[str] = "turns.documents"

    user: User
    turn_id: TurnId


class Document(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    media_type: str
    text: str


class GetDocument(Request[Document], frozen=True, kw_only=True):
    """anyone -> orchestrator: one document of a turn."""

    subject: ClassVar[str] = "turns.document"

    user: User
    turn_id: TurnId
    name: str


class EventsReply(msgspec.Struct, frozen=True, kw_only=True):
    events: list[msgspec.Raw]
    """Live events as they were sent, in order."""
    more: bool
    """True where the turn has more of them behind the last one here."""


class GetEvents(Request[EventsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: every live event of an ended turn behind `after`, a page at a time."""

    subject: ClassVar[str] = "turns.events"

    user: User
    turn_id: TurnId
    after: int = -1


class UnendedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that waits or runs."""

    turn_id: str
    turn_number: int
    session_id: str
    user: str
    status: UnendedStatus
    """Waiting: for a person to allow what a tool would do."""
    input: str
    requested_at: datetime
    position: int = 0
    estimate_seconds: float = 0.0


class FindUnended(Request[UnendedTurn], frozen=True, kw_only=True):
    """anyone -> orchestrator: a turn that waits or runs; refused with 404 where the user has no such turn."""

    subject: ClassVar[str] = "turns.unended"

    user: User
    turn_id: TurnId


class UnendedTurns(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[UnendedTurn]
    """Oldest first."""
    more: bool
    """True where there are more behind the last one here."""
    queued: int
    running: int
    waiting: int
    """How many there are of each status, on whatever page."""


class ListUnended(Request[UnendedTurns], frozen=True, kw_only=True):
    """anyone -> orchestrator: the turns of a user that wait or run, a page at a time."""

    subject: ClassVar[str] = "turns.queue"

    user: User
    status: UnendedStatus | None = None
    """Only those; the counts are of all."""
    after: int = 0
    """A turn number."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100


class RunningReply(msgspec.Struct, frozen=True, kw_only=True):
    turn: UnendedTurn | None


class FindRunning(Request[RunningReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the turn that keeps a session busy, if one does."""

    subject: ClassVar[str] = "turns.running"

    user: User
    session_id: SessionId


class Controlled(msgspec.Struct, frozen=True, kw_only=True):
    """What a control found, and what it did."""

    turn_id: str
    found: TurnStatus
    """The turn's state when the control arrived."""
    phase: str | None = None
    """The phase that ran then."""
    done: bool
    """False where the turn had ended before: nothing was changed."""
    takes_effect: str | None = None
    """The first phase that knows of a steering message."""
    calls: list[str] = []
    """The keys of the tool calls that were approved or denied."""


class Control(Request[Controlled], frozen=True, kw_only=True):
    """anyone -> orchestrator: stop a turn, add a message to it, or answer what it waits for.

    `cancel` may be said again and again. `steer` is refused with 409 where it would come too late, `approve`
    and `deny` where no tool call waits for it.
    """

    subject: ClassVar[str] = "turn.control.*"

    user: User
    turn_id: TurnId = ""
    """May be left out: the subject says it."""
    action: Literal["cancel", "steer", "approve", "deny"]
    text: str = ""
    """What to add, for `steer`."""
    call: str = ""
    """The key of a waiting tool call, for `approve` and `deny`; empty: all that wait."""

    def address(self) -> str:
        return f"turn.control.{self.turn_id}"


class ControlHere(Request[Controlled], frozen=True, kw_only=True):
    """orchestrator -> the orchestrator that runs the turn: a control that reached the wrong one."""

    subject: ClassVar[str] = "orchestrator.control"

    holder: str
    turn_id: TurnId
    control: Control

    def address(self) -> str:
        return f"{self.subject}.{self.holder}"


class RecipesReply(msgspec.Struct, frozen=True, kw_only=True):
    names: list[str]


class Recipes(Request[RecipesReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the recipes that a turn may name."""

    subject: ClassVar[str] = "turns.recipes"
