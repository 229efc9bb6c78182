"""Images that users hand in, piece by piece, and what they ask about them."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import msgspec

from services.orchestrator.archive import read_record
from services.orchestrator.domain.forgetting import Gone
from services.orchestrator.ports import Documents
from shared.endpoints import Endpoint
from shared.errors import Refused
from shared.events import ForgetRequested
from shared.replies import (
    PIECE_BYTES,
    DeleteFile,
    FileDeleted,
    FileInfo,
    FilePiece,
    FilePut,
    GetFile,
    ListFiles,
    ListFilesReply,
    PutFile,
    ReadFile,
)

_PAGE_BYTES = 512 * 1024
"""Of a list in one answer; names may be long, and a NATS message holds 1 MB."""
_INFO_BYTES = 512
"""More than a FileInfo takes beside its name."""
_BYTES_A_CHARACTER = 6
"""The most that JSON spends on one."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What the bytes of an upload are."""

    media_type: str
    width: int
    """In pixels, upright, as is the height."""
    height: int


class Files(Protocol):
    """Every user's files. All of it raises Transient where the store does not answer."""

    async def put(self, piece: PutFile) -> FileInfo | None:
        """The file where it is whole by now. Raises Refused: 409, 415 and 422 as PutFile says."""
        ...

    async def about(self, user: str, file_id: str) -> FileInfo | None:
        """None where there is no such file, or not all of it."""
        ...

    async def read(self, user: str, file_id: str, offset: int, size: int) -> bytes | None:
        """At most `size` bytes of it; None where there is no such file."""
        ...

    async def ids(self, user: str) -> list[str]:
        """Of a user's whole files, in order."""
        ...

    async def begun_until(self, user: str, moment: datetime) -> list[str]:
        """The ids of a user's files, and half files, whose first piece came until then."""
        ...

    async def remove(self, user: str, file_ids: Collection[str]) -> int:
        """Takes them away for good, half ones as well; how many whole ones there were."""
        ...


class Filing:
    def __init__(self, files: Files, *, limit_bytes: int) -> None:
        self._files = files
        self._limit = limit_bytes

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(PutFile, lambda request, send: self.put(request)),
            Endpoint(GetFile, lambda request, send: self.get(request)),
            Endpoint(ReadFile, lambda request, send: self.read(request)),
            Endpoint(ListFiles, lambda request, send: self.list_files(request)),
            Endpoint(DeleteFile, lambda request, send: self.delete(request)),
        ]

    async def put(self, request: PutFile) -> FilePut:
        if request.size > self._limit:
            raise Refused(
                413,
                f"the file has {request.size} bytes; at most {self._limit} are taken (FILE_LIMIT_BYTES)",
                "file",
            )
        if request.offset + len(request.data) > request.size:
            raise Refused(422, f"the piece goes beyond the {request.size} bytes of the file", "data")
        return FilePut(file=await self._files.put(request))

    async def get(self, request: GetFile) -> FileInfo:
        info = await self._files.about(request.user, request.file_id)
        if info is None:
            raise _no_such_file(request.file_id)
        return info

    async def read(self, request: ReadFile) -> FilePiece:
        info = await self.get(GetFile(user=request.user, file_id=request.file_id))
        data = await self._files.read(request.user, request.file_id, request.offset, PIECE_BYTES)
        if data is None:
            raise _no_such_file(request.file_id)
        return FilePiece(data=data, more=request.offset + len(data) < info.bytes)

    async def list_files(self, request: ListFiles) -> ListFilesReply:
        behind = [file_id for file_id in await self._files.ids(request.user) if file_id > request.after]
        found: list[FileInfo] = []
        room = _PAGE_BYTES
        for file_id in behind:
            if len(found) == request.limit or room < 0:
                return ListFilesReply(files=found, more=True)
            info = await self._files.about(request.user, file_id)
            if info is not None:  # It may be deleted meanwhile.
                found.append(info)
                room -= _INFO_BYTES + _BYTES_A_CHARACTER * len(info.name)
        return ListFilesReply(files=found, more=False)

    async def delete(self, request: DeleteFile) -> FileDeleted:
        removed = await self._files.remove(request.user, [request.file_id])
        return FileDeleted(file_id=request.file_id, deleted=removed > 0)


async def forget_files(order: ForgetRequested, gone: Gone, documents: Documents, files: Files) -> int:
    """Those that the turns name which are gone, and all that a user has who is; how many there were."""
    records = [await read_record(documents, turn_id) for turn_id in sorted(gone.turn_ids)]
    file_ids = {image.file_id for record in records if record is not None for image in record.images}
    if order.scope == "user":
        file_ids |= set(await files.begun_until(order.user, order.requested_at))
    return await files.remove(order.user, file_ids)


def _no_such_file(file_id: str) -> Refused:
    # The same answer for a missing file and for another user's: it must not be told apart.
    return Refused(404, f"there is no file {file_id}; upload it with POST /v1/files", "file_id")
