"""index.*: what the indexer answers."""

from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, get_args

import msgspec

from shared.events import (
    AnySessionId,
    Score,
    SeenImage,
    SessionId,
    SourceKind,
    TurnId,
    User,
    said_with_images,
)
from shared.replies.request import Request

Kind = SourceKind
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Speaker = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class Signal(msgspec.Struct, frozen=True):
    """One reason for a hit's place: its score is the sum of value times weight over all of them."""

    value: float
    weight: float


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that memory holds about the query, best first."""

    kind: Kind
    """`turn` also for an imported message, which was said in a turn elsewhere."""
    id: str
    """The turn's, the imported message's, the memory's, the page's ..."""
    score: Score
    """0 to 1, comparable within one answer only."""
    text: str
    session_id: str
    at: datetime
    message_ids: list[str] = []
    """The messages that the hit stands on, best first. Of a turn: `<turn_id>:user`, `<turn_id>:assistant`."""
    highlights: list[str] = []
    """Sentences of the text that share words with the query, best first."""
    speaker: str = ""
    """Who said the best of the messages; of a page, its domain."""
    turn_id: str | None = None
    turn_number: int | None = None
    input: str = ""
    output: str = ""
    quoted: bool = False
    similarity: float = 0.0
    """Cosine of query and the best message, -1 to 1; 0 where only words found it."""
    words: float = 0.0
    """BM25 of query and the best message; 0 where only meaning found it."""
    url: str = ""
    """Of a page."""
    outdated: list[str] = []
    """Words of it that hold no more, as a newer memory knows: "I live in Lisbon", once it is Porto."""
    explain: dict[str, Signal] | None = None
    """Where it was asked for: every signal of the best message."""


class SearchReply(msgspec.Struct, frozen=True, kw_only=True):
    hits: list[Hit]


class Search(Request[SearchReply], frozen=True, kw_only=True):
    """anyone -> indexer: what does memory hold about this?"""

    subject: ClassVar[str] = "index.search"

    user: User
    query: str
    limit: int = 10
    kinds: list[Kind] = msgspec.field(default_factory=lambda: list(KINDS))
    session_id: AnySessionId | None = None
    speaker: Speaker | None = None
    """As it was imported, in any case; one's own turns have `user` and `assistant`."""
    since: datetime | None = None
    until: datetime | None = None
    explain: bool = False
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
    images: list[SeenImage] = []

    @property
    def said(self) -> str:
        """The user's words, and what their images show."""
        return said_with_images(self.input, self.images)


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
    """Saved turns."""
    messages: int = 0
    """Of turns and of imports."""
    unindexed: int = 0
    """Messages that search does not find yet."""
    points: int
    """One a message, several of a long one."""
    highest_turn_number: int


class Count(Request[CountReply], frozen=True, kw_only=True):
    """anyone -> indexer: how much is stored, over all users (numbers only)."""

    subject: ClassVar[str] = "index.count"
