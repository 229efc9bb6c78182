"""file.*: images that users hand in. The orchestrator keeps them, beside the turns' documents."""

from datetime import datetime
from typing import Annotated, ClassVar, Final

import msgspec

from shared.events import FileId, User
from shared.replies.request import Request

PIECE_BYTES: Final = 512 * 1024
"""Of a file in one message; JSON spends a third more on it."""


class FileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is there, whole."""

    file_id: str
    name: str
    media_type: str
    """By its content: image/png, image/jpeg, image/webp or image/gif."""
    bytes: int
    sha256: str
    width: int
    """In pixels, as is the height."""
    height: int
    created_at: datetime


class FilePut(msgspec.Struct, frozen=True, kw_only=True):
    file: FileInfo | None
    """None until the last piece is there."""


class PutFile(Request[FilePut], frozen=True, kw_only=True):
    """anyone -> orchestrator: one piece of a file, after those before it; the last one makes it whole.

    Any piece may be put again, and a whole file with the same bytes as well. Refused: 413 where `size` is
    over the limit, 415 where the bytes are no image that can be looked at, 409 for other bytes under an id
    that is taken, or where a piece before this one is missing.
    """

    subject: ClassVar[str] = "file.put"

    user: User
    file_id: FileId
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    size: Annotated[int, msgspec.Meta(ge=1)]
    """Of the whole file, in bytes."""
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    data: bytes


class GetFile(Request[FileInfo], frozen=True, kw_only=True):
    """anyone -> orchestrator: what a file is; refused with 404 where the user has no such file."""

    subject: ClassVar[str] = "file.get"

    user: User
    file_id: FileId


class FilePiece(msgspec.Struct, frozen=True, kw_only=True):
    data: bytes
    more: bool
    """True where the file goes on behind it."""


class ReadFile(Request[FilePiece], frozen=True, kw_only=True):
    """anyone -> orchestrator: up to PIECE_BYTES of a file; 404 where the user has no such file."""

    subject: ClassVar[str] = "file.read"

    user: User
    file_id: FileId
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class ListFilesReply(msgspec.Struct, frozen=True, kw_only=True):
    files: list[FileInfo]
    """By id."""
    more: bool
    """True where there are more behind the last one here."""


class ListFiles(Request[ListFilesReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: a user's files, a page at a time."""

    subject: ClassVar[str] = "file.list"

    user: User
    after: str = ""
    """The id of the last one of the answer before."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    file_id: str
    deleted: bool
    """False where there was no such file."""


class DeleteFile(Request[FileDeleted], frozen=True, kw_only=True):
    """anyone -> orchestrator: takes a file away. What turns say of it stays until they are forgotten."""

    subject: ClassVar[str] = "file.delete"

    user: User
    file_id: FileId
