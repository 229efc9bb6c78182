"""Messages: what search finds. A turn has two of them, an import brings others. The indexer answers."""

from datetime import datetime
from typing import Annotated, ClassVar, Final

import msgspec

from shared.contract.events import AnySessionId, User
from shared.contract.requests.request import Request
from shared.contract.requests.search import Speaker

MOST_MESSAGES: Final = 256
"""In one request. All texts together must be shorter than NATS's largest message (1 MB by default)."""
MessageId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\x00-\x1f\x7f]{1,256}$(?!\n)", description="The message's id: 1 to 256 characters."
    ),
]


class ImportedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation that took place elsewhere."""

    session_id: AnySessionId
    message_id: MessageId
    """The same id in its user's session is the same message."""
    speaker: Speaker
    text: Annotated[str, msgspec.Meta(min_length=1)]
    """What was said."""
    at: datetime
    """When it was said."""


class ImportReply(msgspec.Struct, frozen=True, kw_only=True):
    """All of the messages are stored, and search finds them."""

    new: int
    """Messages that were not there."""
    changed: int
    """Messages that were there with another text or speaker: the newer one is kept."""
    known: int
    """Messages that were there already, word for word."""


class ImportMessages(Request[ImportReply], frozen=True, kw_only=True):
    """anyone -> indexer: remember these messages, in the order in which they were said.

    The answer comes when all of them are stored and `index.search` finds them. The same messages again change
    nothing. Messages of one session must come one request after the other.
    """

    subject: ClassVar[str] = "index.import"

    user: User
    messages: list[ImportedMessage]
    """At most 256, and less JSON than NATS's largest message (1 MB)."""


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is stored: of a turn, or of an import."""

    session_id: str
    """The conversation that it belongs to."""
    message_id: str
    """Of a turn: `<turn_id>:user` or `<turn_id>:assistant`."""
    speaker: str
    """Who said it. In turns: `user` and `assistant`."""
    text: str
    """What was said."""
    at: datetime
    """When it was said."""
    ordinal: int
    """Its place in the session. It rises, with gaps where messages were forgotten."""


class ListMessagesReply(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[HeldMessage]
    """At most 500, and about 128 Ki characters."""
    more: bool
    """True where more come after the last one here."""


class ListMessages(Request[ListMessagesReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's messages by session and place, a page at a time."""

    subject: ClassVar[str] = "index.messages"

    user: User
    after_session: AnySessionId | None = None
    """The session of the last message of the page before; null: from the beginning."""
    after_ordinal: int = -1
    """The place of that message in its session."""
