"""Images that users upload. The orchestrator keeps them next to the turns' documents, and answers."""

from datetime import datetime
from typing import Annotated, ClassVar, Final

import msgspec

from shared.contract.events import FileId, User
from shared.contract.requests.request import Request

PIECE_BYTES: Final = 512 * 1024
"""Of a file in one message. In JSON they take a third more."""


class FileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is there, whole."""

    file_id: str
    """Its id."""
    name: str
    """As it was uploaded."""
    media_type: str
    """By its content: `image/png`, `image/jpeg`, `image/webp` or `image/gif`."""
    bytes: int
    """Its size."""
    sha256: str
    """Of its bytes, in hexadecimal."""
    width: int
    """In pixels, upright."""
    height: int
    """In pixels, upright."""
    created_at: datetime
    """When its first piece came."""


class FilePut(msgspec.Struct, frozen=True, kw_only=True):
    file: FileInfo | None
    """The file; null until its last piece is there."""


class PutFile(Request[FilePut], frozen=True, kw_only=True):
    """anyone -> orchestrator: one piece of an image. The last piece makes the file whole.

    A piece comes after the pieces before it. Any piece may be put again, by any client and to any
    orchestrator, and a whole file with the same bytes as well. Refused with 413 where `size` is over
    FILE_LIMIT_BYTES. Refused with 415 where the bytes are no PNG, JPEG, WebP or GIF that can be looked at:
    then what came is removed. Refused with 409 for other bytes under an id that is taken, or where a piece
    before this one is missing: the text says from where on. Half a file that gets no further piece for an
    hour is removed.
    """

    subject: ClassVar[str] = "file.put"

    user: User
    file_id: FileId
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    """For people. The same in each piece."""
    size: Annotated[int, msgspec.Meta(ge=1)]
    """Of the whole file, in bytes. The same in each piece."""
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Bytes that come before this piece."""
    data: bytes
    """At most 512 KiB of the file: a message has no room for more."""


class GetFile(Request[FileInfo], frozen=True, kw_only=True):
    """anyone -> orchestrator: what a file is. Refused with 404 where the user has no such file, or not all
    of it."""

    subject: ClassVar[str] = "file.get"

    user: User
    file_id: FileId


class FilePiece(msgspec.Struct, frozen=True, kw_only=True):
    data: bytes
    """At most 512 KiB."""
    more: bool
    """True where the file goes on after it."""


class ReadFile(Request[FilePiece], frozen=True, kw_only=True):
    """anyone -> orchestrator: the bytes of a file, as they were put, a piece at a time.

    Refused with 404 where the user has no such file, or not all of it.
    """

    subject: ClassVar[str] = "file.read"

    user: User
    file_id: FileId
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Bytes that are known already."""


class ListFilesReply(msgspec.Struct, frozen=True, kw_only=True):
    files: list[FileInfo]
    """By id."""
    more: bool
    """True where more come after the last one here."""


class ListFiles(Request[ListFilesReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: a user's files by id, a page at a time."""

    subject: ClassVar[str] = "file.list"

    user: User
    after: str = ""
    """The id of the last one of the answer before."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """Most files. Fewer come where their names are long."""


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    file_id: str
    """The file's id."""
    deleted: bool
    """False where there was no such file."""


class DeleteFile(Request[FileDeleted], frozen=True, kw_only=True):
    """anyone -> orchestrator: delete a file for good. What turns say of it stays until they are forgotten."""

    subject: ClassVar[str] = "file.delete"

    user: User
    file_id: FileId
