"""Files over the bus, piece by piece: upload and download."""

from collections.abc import AsyncGenerator

from tenacity import stop_after_attempt, wait_exponential

from services.gateway.asking.ports import Ask
from shared.contract.errors import Refused
from shared.contract.requests import PIECE_BYTES, FileInfo, FilePut, ListFiles, PutFile, ReadFile
from shared.process.retrying import Retry

_PUT_SECONDS = 30.0
"""After its last piece an image is decoded. A large one takes seconds on a busy machine."""
_RETRY = Retry(wait=wait_exponential(multiplier=0.2, exp_base=5, max=1.0), stop=stop_after_attempt(3))
"""An orchestrator that stops is soon followed by another one, and any piece may be put again."""


async def upload(ask: Ask, user: str, file_id: str, name: str, data: bytes) -> FileInfo:
    """Returns the file once all of it is stored. The same again is the same file.

    Raises Refused: 413 where it is too large, 415 where it is not an image, 409 where the id is taken.
    """
    for offset in range(0, max(1, len(data)), PIECE_BYTES):
        piece = data[offset : offset + PIECE_BYTES]
        request = PutFile(user=user, file_id=file_id, name=name, size=len(data), offset=offset, data=piece)
        reply: FilePut = await _RETRY(ask, request, _PUT_SECONDS)
    if reply.file is None:
        raise Refused(409, f"another request put {file_id} at the same time; send the file again", "file")
    return reply.file


async def download(ask: Ask, user: str, file_id: str) -> AsyncGenerator[bytes, None]:
    """Yields its bytes in pieces. Raises Refused (404) where there is no such file, and Transient."""
    offset, more = 0, True
    while more:
        piece = await ask(ReadFile(user=user, file_id=file_id, offset=offset))
        offset, more = offset + len(piece.data), piece.more
        yield piece.data


async def whole_file(ask: Ask, user: str, file_id: str) -> bytes | None:
    """Returns all of its bytes, at most FILE_LIMIT_BYTES; None where the file does not exist any more."""
    try:
        return b"".join([piece async for piece in download(ask, user, file_id)])
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise


async def all_files(ask: Ask, user: str) -> AsyncGenerator[list[FileInfo], None]:
    """Yields pages of a user's files, by id."""
    after, more = "", True
    while more:
        reply = await ask(ListFiles(user=user, after=after))
        more = reply.more
        if reply.files:
            after = reply.files[-1].file_id
            yield reply.files
