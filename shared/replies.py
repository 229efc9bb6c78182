"""What one process asks of another and what it gets back: core NATS request/reply, one subject an ability.

Every request names the user that it is asked for; the answering service filters by it, so that no path
exists on which one user's words reach another.
"""

from datetime import datetime
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec

from shared.events import Score, SessionId, Source, Timings, TurnId, Usage, User

Kind = Literal["turn"]
TurnStatus = Literal["queued", "running", "saved", "failed", "cancelled"]
Reply = TypeVar("Reply")


class Request(msgspec.Struct, Generic[Reply], frozen=True, kw_only=True):
    """A question with the type of its answer: `bus.ask(Search(...))` returns a `SearchReply`."""

    subject: ClassVar[str]


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


class Abort(msgspec.Struct, frozen=True, kw_only=True):
    """anyone -> every inference worker: stop this generation, if it is yours."""

    subject: ClassVar[str] = "inference.abort"

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
