"""index.*: what the indexer answers."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.events import Score, SessionId, TurnId, User
from shared.replies.request import Request

Kind = Literal["turn"]


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
