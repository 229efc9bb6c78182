"""Images that users upload piece by piece, and the requests about them."""

from services.orchestrator.images.ports import Files
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.events import encode
from shared.contract.requests import (
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
"""Of a list in one answer. Names may be long, and a NATS message holds 1 MB."""


class Uploads:
    def __init__(self, files: Files, *, limit_bytes: int) -> None:
        self._files = files
        self._limit = limit_bytes

    @endpoint
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

    @endpoint
    async def get(self, request: GetFile) -> FileInfo:
        info = await self._files.about(request.user, request.file_id)
        if info is None:
            raise _no_such_file(request.file_id)
        return info

    @endpoint
    async def read(self, request: ReadFile) -> FilePiece:
        info = await self.get(GetFile(user=request.user, file_id=request.file_id))
        data = await self._files.read(request.user, request.file_id, request.offset, PIECE_BYTES)
        if data is None:
            raise _no_such_file(request.file_id)
        return FilePiece(data=data, more=request.offset + len(data) < info.bytes)

    @endpoint
    async def list_files(self, request: ListFiles) -> ListFilesReply:
        later = [file_id for file_id in await self._files.ids(request.user) if file_id > request.after]
        found: list[FileInfo] = []
        room = _PAGE_BYTES
        for file_id in later:
            if len(found) == request.limit or room < 0:
                return ListFilesReply(files=found, more=True)
            info = await self._files.about(request.user, file_id)
            if info is not None:  # None: it was deleted in the meantime.
                found.append(info)
                room -= len(encode(info))
        return ListFilesReply(files=found, more=False)

    @endpoint
    async def delete(self, request: DeleteFile) -> FileDeleted:
        removed = await self._files.remove(request.user, [request.file_id])
        return FileDeleted(file_id=request.file_id, deleted=removed > 0)


def _no_such_file(file_id: str) -> Refused:
    # The same answer for a missing file and for the file of another user: they must look alike.
    return Refused(404, f"there is no file {file_id}; upload it with POST /v1/files", "file_id")
