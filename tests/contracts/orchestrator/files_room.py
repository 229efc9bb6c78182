"""Puts and reads files for tests, and lists what is left on the disk."""

from pathlib import Path

import pytest

from services.orchestrator.images.uploads import Uploads
from shared.contract.errors import Refused
from shared.contract.requests import FileInfo, PutFile, ReadFile


async def put_all(uploads: Uploads, puts: list[PutFile]) -> FileInfo:
    *before, last = [(await uploads.put(put)).file for put in puts]
    assert before == [None] * len(before)
    assert last is not None
    return last


async def read_all(uploads: Uploads, user: str = "alice", file_id: str = "file-1") -> bytes:
    data, more = b"", True
    while more:
        piece = await uploads.read(ReadFile(user=user, file_id=file_id, offset=len(data)))
        data, more = data + piece.data, piece.more
    return data


def left_in(folder: Path) -> list[str]:
    """The names of all entries except locks."""
    return sorted(path.name for path in folder.rglob("*") if ".locks" not in path.parts)


async def refusal_of(uploads: Uploads, put: PutFile) -> Refused:
    with pytest.raises(Refused) as refused:
        await uploads.put(put)
    return refused.value
