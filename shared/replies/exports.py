"""index.messages, turns.held, turns.export, turns.archive: all that is held of a user, and where it lies."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

from shared.events import AnySessionId, TurnId, User
from shared.replies.request import Request


class HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is stored: of a turn of one's own, or of an import."""

    session_id: str
    message_id: str
    speaker: str
    text: str
    at: datetime
    ordinal: int
    """Its place in the session, rising, with gaps where messages were forgotten."""


class ListMessagesReply(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[HeldMessage]
    more: bool
    """True where there are more behind the last one here."""


class ListMessages(Request[ListMessagesReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's messages by session and place, a page at a time."""

    subject: ClassVar[str] = "index.messages"

    user: User
    after_session: AnySessionId | None = None
    """Session and place of the last message of the page before."""
    after_ordinal: int = -1


class HeldTurn(msgspec.Struct, frozen=True, kw_only=True):
    turn_id: str
    turn_number: int


class ListHeldTurnsReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[HeldTurn]
    more: bool
    """True where there are more behind the last one here."""


class ListHeldTurns(Request[ListHeldTurnsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the turns of a user that have documents, failed and archived ones too.

    By number. It reads the metadata of every turn that there is, and so takes seconds where there are many.
    """

    subject: ClassVar[str] = "turns.held"

    user: User
    after: int = 0
    """A turn number."""


class DocumentPiece(msgspec.Struct, frozen=True, kw_only=True):
    """A document, or a part of a long one."""

    name: str
    offset: int
    """Characters of it that came before."""
    text: str


class ExportTurnReply(msgspec.Struct, frozen=True, kw_only=True):
    pieces: list[DocumentPiece]
    """In order; pieces of one document follow each other."""
    more: bool
    """True where there are more behind the last one here."""


class ExportTurn(Request[ExportTurnReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: all documents of a turn, a page at a time; 404 where the user has no such turn.

    It does not count as reading them: an old turn still goes to the archive.
    """

    subject: ClassVar[str] = "turns.export"

    user: User
    turn_id: TurnId
    after_name: str = ""
    """The document of the last piece of the page before."""
    after_offset: int = 0
    """Characters of it that have come."""


class ArchiveTurnsReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: int
    """That were archived by this request, or would be."""
    bytes_before: int
    """Of their documents."""
    bytes_after: int
    """Of their archives; 0 where nothing was done."""
    left: int
    """Turns that are as old and were not looked at yet: ask again for them."""


class ArchiveTurns(Request[ArchiveTurnsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: archive turns that nobody has written or read for so many days, oldest first.

    One request works for about a second; `left` says how many there are still.
    """

    subject: ClassVar[str] = "turns.archive"

    older_than_days: Annotated[float, msgspec.Meta(ge=0, le=100_000)] | None = None
    """None: ARCHIVE_AFTER_DAYS."""
    dry_run: bool = False
    """Only says how many there are, and their size."""
