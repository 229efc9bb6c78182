"""Files over the bus, piece by piece: in, and out again."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol, TypeVar

from shared.errors import Refused, Transient
from shared.replies import (
    PIECE_BYTES,
    FileInfo,
    FilePut,
    ListFiles,
    PutFile,
    ReadFile,
    Request,
)

R = TypeVar("R")
_PUT_SECONDS = 30.0
"""Behind its last piece an image is decoded, for seconds where it is large and the machine busy."""
_PAUSES = (0.2, 1.0)
"""An orchestrator that stops is soon followed by another one; any piece may be put again."""


class Ask(Protocol):
    """How the bus is asked."""

    async def __call__(self, request: Request[R], timeout_seconds: float | None = None, /) -> R:
        """Raises Refused, and Transient where there is no answer in time."""
        ...


async def upload(ask: Ask, user: str, file_id: str, name: str, data: bytes) -> FileInfo:
    """The file, once it is whole; the same again is the same file.

    Raises Refused: 413 where it is too large, 415 where it is no image, 409 where the id is taken.
    """
    for offset in range(0, max(1, len(data)), PIECE_BYTES):
        piece = data[offset : offset + PIECE_BYTES]
        reply = await _put(
            ask,
            PutFile(user=user, file_id=file_id, name=name, size=len(data), offset=offset, data=piece),
        )
    if reply.file is None:
        raise Refused(409, f"{file_id} was put by somebody else meanwhile; send it again", "file")
    return reply.file


async def _put(ask: Ask, piece: PutFile) -> FilePut:
    for pause in _PAUSES:
        try:
            return await ask(piece, _PUT_SECONDS)
        except Transient:
            await asyncio.sleep(pause)
    return await ask(piece, _PUT_SECONDS)


async def download(ask: Ask, user: str, file_id: str) -> AsyncGenerator[bytes, None]:
    """Its bytes, in pieces. Raises Refused (404) where there is no such file any more, and Transient."""
    offset, more = 0, True
    while more:
        piece = await ask(ReadFile(user=user, file_id=file_id, offset=offset))
        offset, more = offset + len(piece.data), piece.more
        yield piece.data


async def whole_file(ask: Ask, user: str, file_id: str) -> bytes | None:
    """All of its bytes, at most FILE_LIMIT_BYTES; None where there is no such file any more."""
    try:
        return b"".join([piece async for piece in download(ask, user, file_id)])
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise


async def all_files(ask: Ask, user: str) -> AsyncGenerator[list[FileInfo], None]:
    """Pages of them, by id."""
    after, more = "", True
    while more:
        reply = await ask(ListFiles(user=user, after=after))
        more = reply.more
        if reply.files:
            after = reply.files[-1].file_id
            yield reply.files
