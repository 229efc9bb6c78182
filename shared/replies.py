"""What one process asks of another and what it gets back: core NATS request/reply, one subject an ability.

Every request names the user that it is asked for; the answering service filters by it, so that no path
exists on which one user's words reach another.
"""

from datetime import datetime
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec

from shared.events import Score, SessionId, Source, Timings, TurnId, Usage, User, WhyCancelled

Kind = Literal["turn"]
TurnStatus = Literal["queued", "running", "saved", "failed", "cancelled"]
Reply = TypeVar("Reply")


class Request(msgspec.Struct, Generic[Reply], frozen=True, kw_only=True):
    """A question with the type of its answer: `bus.ask(Search(...))` returns a `SearchReply`."""

    subject: ClassVar[str]
    """Where a `*` stands for a field that `address` puts in, the answering side finds it in the subject."""

    def address(self) -> str:
        return self.subject


# --- index.*: answered by the indexer ----------------------------------------------------------------------


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that memory holds about the query, best first."""

    kind: Kind
    id: str
    score: Score
    """0 to 1, comparable within one answer only."""
    text: str
    turn_id: str
    turn_number: int
    session_id: str
    at: datetime
    input: str
    output: str
    quoted: bool
    similarity: float
    """Cosine of query and text, -1 to 1; 0 where only words found it."""
    words: float
    """BM25 of query and text; 0 where only meaning found it."""


class SearchReply(msgspec.Struct, frozen=True, kw_only=True):
    hits: list[Hit]


class Search(Request[SearchReply], frozen=True, kw_only=True):
    """anyone -> indexer: what does memory hold about this?"""

    subject: ClassVar[str] = "index.search"

    user: User
    query: str
    limit: int = 10
    kinds: list[Kind] = msgspec.field(default_factory=lambda: ["turn"])
    session_id: SessionId | None = None
    without_echoes: bool = False
    """Leaves out questions whose answer only quoted other turns: they know nothing of their own."""


class TurnRow(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as the index lists it."""

    turn_id: str
    turn_number: int
    session_id: str
    at: datetime
    topic: str
    intent: str
    keywords: list[str]
    quality: float
    model: str
    recipe: str
    input: str
    output: str
    quoted: bool
    status: Literal["saved", "cancelled"] = "saved"


class ListTurnsReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[TurnRow]
    next_cursor: int | None = None


class ListTurns(Request[ListTurnsReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's turns, newest first; `before` is the cursor (a turn number)."""

    subject: ClassVar[str] = "index.list"

    user: User
    session_id: SessionId | None = None
    before: int | None = None
    limit: int = 20


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str
    turns: int
    first_at: datetime
    last_at: datetime
    last_topic: str


class ListSessionsReply(msgspec.Struct, frozen=True, kw_only=True):
    sessions: list[SessionRow]


class ListSessions(Request[ListSessionsReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's sessions, the latest first."""

    subject: ClassVar[str] = "index.sessions"

    user: User
    limit: int = 50


class NeighboursReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[TurnRow]


class Neighbours(Request[NeighboursReply], frozen=True, kw_only=True):
    """orchestrator -> indexer: the turns right before and after these ones, in their own sessions."""

    subject: ClassVar[str] = "index.neighbours"

    user: User
    turn_ids: list[TurnId]


class CountReply(msgspec.Struct, frozen=True, kw_only=True):
    """Cancelled turns have a row and no point: they are not counted, so that rows and points are equal."""

    rows: int
    points: int
    highest_turn_number: int


class Count(Request[CountReply], frozen=True, kw_only=True):
    """anyone -> indexer: how much is stored, over all users (numbers only)."""

    subject: ClassVar[str] = "index.count"


# --- turns.*: answered by the orchestrator -----------------------------------------------------------------


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
    status: Literal["queued", "running"]
    input: str
    requested_at: datetime
    position: int = 0
    estimate_seconds: float = 0.0


class FindUnended(Request[UnendedTurn], frozen=True, kw_only=True):
    """anyone -> orchestrator: a turn that waits or runs; refused with 404 where the user has no such turn."""

    subject: ClassVar[str] = "turns.unended"

    user: User
    turn_id: TurnId


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


class Control(Request[Controlled], frozen=True, kw_only=True):
    """anyone -> orchestrator: stop a turn, or add a message to it.

    `cancel` may be said again and again. `steer` is refused with 409 where it would come too late.
    """

    subject: ClassVar[str] = "turn.control.*"

    user: User
    turn_id: TurnId = ""
    """May be left out: the subject says it."""
    action: Literal["cancel", "steer"]
    text: str = ""
    """What to add, for `steer`."""

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


# --- inference.*: answered by the inference worker ---------------------------------------------------------


class Message(msgspec.Struct, frozen=True):
    """One message of a chat, as every model server takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of memory that was put before the model."""

    turn_id: str
    turn_number: int
    score: Score
    similarity: float
    input: str
    output: str
    quoted: bool = False


class Generated(msgspec.Struct, frozen=True, kw_only=True, tag="generated"):
    """The end of a generation. `sources` is None where the engine cannot say which passages it used."""

    text: str
    model: str
    finish_reason: Literal["stop", "length", "abort"]
    usage: Usage
    next_index: int
    """The first index on the turn's stream that is still free."""
    first_token_seconds: float
    seconds: float
    pieces: list[int] = []
    """Characters of each delta that was sent, in order: with `text`, the very events again."""
    sources: list[Source] | None = None
    quoted: bool = False


class StillGenerating(msgspec.Struct, frozen=True, kw_only=True, tag="still_generating"):
    """A sign of life while a generation runs, so that a dead worker is noticed within seconds."""

    output_tokens: int


class Generate(Request[Generated], frozen=True, kw_only=True):
    """orchestrator -> inference: answer, and stream the deltas to `stream_to` from `first_index` on.

    The reply inbox gets `StillGenerating` every few seconds and `Generated` last.
    """

    subject: ClassVar[str] = "inference.generate"

    request_id: str
    messages: list[Message]
    passages: list[Passage] = []
    question: str = ""
    """The user's bare input, for the engine that reads passages instead of a prompt."""
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream_to: str
    first_index: int = 0
    attempt: int = 1
    """Goes into each delta."""


class Abort(msgspec.Struct, frozen=True, kw_only=True):
    """anyone -> every inference worker: stop this generation, if it is yours.

    Sent as a request, the worker that had it answers `Aborted` once nothing more of it will be streamed.
    """

    subject: ClassVar[str] = "inference.abort"

    request_id: str


class Aborted(msgspec.Struct, frozen=True, kw_only=True):
    """inference -> whoever asked: the generation has ended, and its last delta is sent."""

    request_id: str


class ModelsReply(msgspec.Struct, frozen=True, kw_only=True):
    engine: str
    models: list[str]
    context_tokens: int
    running: int
    waiting: int


class Models(Request[ModelsReply], frozen=True, kw_only=True):
    """anyone -> inference: which engine answers, with which models."""

    subject: ClassVar[str] = "inference.models"
