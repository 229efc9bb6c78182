"""sessions.*: what the user has set for a session; the orchestrator answers."""

from typing import ClassVar

import msgspec

from shared.events import SessionId, User
from shared.replies.request import Request


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str
    recipe: str = ""
    """Of its turns that name none. Empty: DEFAULT_RECIPE."""


class GetSession(Request[SessionSettings], frozen=True, kw_only=True):
    """anyone -> orchestrator: what is set for a session; where nothing is, what then holds."""

    subject: ClassVar[str] = "sessions.get"

    user: User
    session_id: SessionId


class ListHeldSessionsReply(msgspec.Struct, frozen=True, kw_only=True):
    sessions: list[SessionSettings]
    """By id."""
    more: bool
    """True where there are more behind the last one here."""


class ListHeldSessions(Request[ListHeldSessionsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the sessions of a user that something is set for, a page at a time."""

    subject: ClassVar[str] = "sessions.held"

    user: User
    after: str = ""
    """The session id of the last one of the page before."""


class SetSession(Request[SessionSettings], frozen=True, kw_only=True):
    """anyone -> orchestrator: set a session's recipe; refused with 422 where there is no such recipe.

    It holds for turns that begin from now on.
    """

    subject: ClassVar[str] = "sessions.set"

    user: User
    session_id: SessionId
    recipe: str
    """Empty: none of its own any more."""
