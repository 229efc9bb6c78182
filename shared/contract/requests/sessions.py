"""What a user has set for a session. The orchestrator answers."""

from typing import ClassVar

import msgspec

from shared.contract.events import SessionId, User
from shared.contract.requests.request import Request


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a user has set for a session."""

    session_id: str
    """The conversation."""
    recipe: str = ""
    """The recipe of its turns that name none. Empty: DEFAULT_RECIPE."""


class GetSession(Request[SessionSettings], frozen=True, kw_only=True):
    """anyone -> orchestrator: what is set for a session. Where nothing is, what then holds."""

    subject: ClassVar[str] = "sessions.get"

    user: User
    session_id: SessionId
    """The conversation. It need not have begun."""


class ListHeldSessionsReply(msgspec.Struct, frozen=True, kw_only=True):
    sessions: list[SessionSettings]
    """By id, at most 100."""
    more: bool
    """True where more come after the last one here."""


class ListHeldSessions(Request[ListHeldSessionsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the sessions of a user that have settings, a page at a time."""

    subject: ClassVar[str] = "sessions.held"

    user: User
    after: str = ""
    """The `session_id` of the last one of the page before."""


class SetSession(Request[SessionSettings], frozen=True, kw_only=True):
    """anyone -> orchestrator: set a session's recipe. Refused with 422 where there is no such recipe.

    It holds for turns that begin from then on.
    """

    subject: ClassVar[str] = "sessions.set"

    user: User
    session_id: SessionId
    """The conversation. It need not have begun."""
    recipe: str
    """One of `turns.recipes`. Empty: the session has none of its own any more."""
