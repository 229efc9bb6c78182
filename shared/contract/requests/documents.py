"""The documents of ended turns: read, exported, archived. The orchestrator answers."""

from typing import Annotated, ClassVar

import msgspec

from shared.contract.events import TurnId, User
from shared.contract.requests.request import Request


class DocumentsReply(msgspec.Struct, frozen=True, kw_only=True):
    names: list[str]
    """The names of the turn's documents."""


class ListDocuments(Request[DocumentsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the names of a turn's documents."""

    subject: ClassVar[str] = "turns.documents"

    user: User
    turn_id: TurnId


class Document(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """Like `context.md`."""
    media_type: str
    """Like `text/markdown`."""
    text: str
    """The whole document."""


class GetDocument(Request[Document], frozen=True, kw_only=True):
    """anyone -> orchestrator: one document of a turn."""

    subject: ClassVar[str] = "turns.document"

    user: User
    turn_id: TurnId
    name: str
    """Like `context.md`."""


class HeldTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that has documents."""

    turn_id: str
    turn_number: int


class ListHeldTurnsReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: list[HeldTurn]
    """At most 5,000."""
    more: bool
    """True where more come after the last one here."""


class ListHeldTurns(Request[ListHeldTurnsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the turns of a user that have documents, by number.

    Failed and archived turns are among them. It reads the metadata of every turn that there is: where there
    are many, wait a minute for it.
    """

    subject: ClassVar[str] = "turns.held"

    user: User
    after: int = 0
    """A turn number: only turns after it."""


class DocumentPiece(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a turn, or a part of a long one."""

    name: str
    """Like `context.md`."""
    offset: int
    """Characters of the document that come before."""
    text: str
    """What comes now."""


class ExportTurnReply(msgspec.Struct, frozen=True, kw_only=True):
    pieces: list[DocumentPiece]
    """In order: pieces of one document follow each other. Together at most 128 Ki characters."""
    more: bool
    """True where more come after the last one here."""


class ExportTurn(Request[ExportTurnReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: all documents of a turn, a page at a time.

    Refused with 404 where the user has no such turn. An export does not count as reading: an old turn still
    goes to the archive.
    """

    subject: ClassVar[str] = "turns.export"

    user: User
    turn_id: TurnId
    after_name: str = ""
    """The document of the last piece of the page before."""
    after_offset: int = 0
    """Characters of it that have come: the piece's `offset` and the length of its `text`."""


class ArchiveTurnsReply(msgspec.Struct, frozen=True, kw_only=True):
    turns: int
    """Turns that this request archived, or would archive."""
    bytes_before: int
    """The size of their documents."""
    bytes_after: int
    """The size of their archives. 0 where nothing was done."""
    left: int
    """Turns that are as old and were not looked at yet: ask again for them."""


class ArchiveTurns(Request[ArchiveTurnsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: archive turns that were not written or read for so many days.

    The oldest go first. One request works for about a second. Ask again while `left` is not 0.
    """

    subject: ClassVar[str] = "turns.archive"

    older_than_days: Annotated[float, msgspec.Meta(ge=0, le=100_000)] | None = None
    """The days; null: ARCHIVE_AFTER_DAYS."""
    dry_run: bool = False
    """True: archive nothing, only count the turns and their size."""
