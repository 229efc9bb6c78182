"""index.import: messages that were said elsewhere."""

from datetime import datetime
from typing import Annotated, ClassVar, Final

import msgspec

from shared.events import AnySessionId, User
from shared.replies.memory import Speaker
from shared.replies.request import Request

MOST_MESSAGES: Final = 256
"""In one request; their texts together must stay below NATS's largest message (1 MB by default)."""
MessageId = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,256}$(?!\n)")]


class ImportedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation that was led elsewhere."""

    session_id: AnySessionId
    message_id: MessageId
    """The same within its user and session is the same message."""
    speaker: Speaker
    text: Annotated[str, msgspec.Meta(min_length=1)]
    at: datetime


class ImportReply(msgspec.Struct, frozen=True, kw_only=True):
    """All of them are stored, and search finds them."""

    new: int
    changed: int
    """Known, with another text: the newer one is kept."""
    known: int
    """There already, word for word."""


class ImportMessages(Request[ImportReply], frozen=True, kw_only=True):
    """anyone -> indexer: remember these messages, in the order in which they were said.

    The same messages again change nothing. Messages of one session must come one request after the other.
    """

    subject: ClassVar[str] = "index.import"

    user: User
    messages: list[ImportedMessage]
