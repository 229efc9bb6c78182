"""Conversations that clients of OpenAI's API have made: sessions with texts of the client's own.

The orchestrator answers.
"""

from typing import ClassVar

import msgspec

from shared.contract.events import SessionId, User
from shared.contract.requests.request import Request


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was made before its first turn, or named later."""

    session_id: str
    """The session."""
    metadata: dict[str, str]
    """Texts of the client's own, kept with it."""


class GetConversation(Request[Conversation], frozen=True, kw_only=True):
    """anyone -> orchestrator: what is kept with a session. Refused with 404 where nothing is."""

    subject: ClassVar[str] = "conversations.get"

    user: User
    session_id: SessionId


class KeepConversation(Request[Conversation], frozen=True, kw_only=True):
    """anyone -> orchestrator: keep texts of the client's own with a session, in place of the earlier ones.

    The session need not have begun. They are forgotten with it.
    """

    subject: ClassVar[str] = "conversations.keep"

    user: User
    session_id: SessionId
    metadata: dict[str, str]
    """What is kept; empty: only that there is such a conversation."""
