"""Turns and sessions as the index lists them. The indexer answers."""

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.contract.events import AnySessionId, SessionId, TurnId, User
from shared.contract.requests.request import Request
from shared.contract.requests.turns import TurnRow


class ListTurnsReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[TurnRow]
    """Newest first."""
    next_cursor: int | None = None
    """`before` of the next page; null: that was all."""


class ListTurns(Request[ListTurnsReply], frozen=True, kw_only=True):
    """anyone, orchestrator -> indexer: a user's turns, newest first, a page at a time."""

    subject: ClassVar[str] = "index.list"

    user: User
    session_id: SessionId | None = None
    """Only of this conversation."""
    before: int | None = None
    """The cursor: only turns with a lower number."""
    limit: int = 20
    """Most turns, 1 to 100."""


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as the index lists it."""

    session_id: str
    """The conversation."""
    turns: int
    """How many turns it has."""
    first_at: datetime
    """When its first turn was saved."""
    last_at: datetime
    """When its last turn was saved."""
    last_topic: str
    """The topic of its last turn."""


class ListSessionsReply(msgspec.Struct, frozen=True, kw_only=True):
    sessions: list[SessionRow]
    """The latest first."""


class ListSessions(Request[ListSessionsReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's sessions that have turns, the latest first. All: `index.conversations`."""

    subject: ClassVar[str] = "index.sessions"

    user: User
    limit: int = 50
    """Most sessions, 1 to 100."""


class ConversationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, of turns or imported."""

    session_id: str
    """The conversation."""
    turns: int
    """How many turns it has. 0: all of it is imported."""
    messages: int
    """How many messages it has, with those of its saved turns."""
    first_at: datetime
    """When its first message was said."""
    last_at: datetime
    """When its last message was said, or its last turn saved."""
    last_topic: str
    """The topic of its last turn. Empty where it has none."""


class ListConversationsReply(msgspec.Struct, frozen=True, kw_only=True):
    conversations: list[ConversationRow]
    """The latest first."""
    more: bool
    """True where more come after the last one here."""


class ListConversations(Request[ListConversationsReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's conversations, of turns or imported, the latest first, by pages."""

    subject: ClassVar[str] = "index.conversations"

    user: User
    session_id: AnySessionId | None = None
    """Only this one."""
    before_at: datetime | None = None
    """`last_at` of the last one of the page before; null: from the latest."""
    before_session: str = ""
    """The `session_id` of that one."""
    limit: int = 50
    """Most conversations, 1 to 100."""


class NeighboursReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[TurnRow]
    """By number."""


class Neighbours(Request[NeighboursReply], frozen=True, kw_only=True):
    """anyone -> indexer: the turns right before and after these, in their own sessions."""

    subject: ClassVar[str] = "index.neighbours"

    user: User
    turn_ids: list[TurnId]
    """The turns to look next to."""
