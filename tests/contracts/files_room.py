"""What tests of files put with, and look with at what is left."""

from pathlib import Path

import pytest

from services.orchestrator.files import Filing
from shared.errors import Refused
from shared.replies import FileInfo, PutFile, ReadFile


async def put_all(filing: Filing, puts: list[PutFile]) -> FileInfo:
    *before, last = [(await filing.put(put)).file for put in puts]
    assert before == [None] * len(before)
    assert last is not None
    return last


async def read_all(filing: Filing, user: str = "alice", file_id: str = "file-1") -> bytes:
    data, more = b"", True
    while more:
        piece = await filing.read(ReadFile(user=user, file_id=file_id, offset=len(data)))
        data, more = data + piece.data, piece.more
    return data


def left_in(folder: Path) -> list[str]:
    """Names of what is there beside the locks."""
    return sorted(path.name for path in folder.rglob("*") if ".locks" not in path.parts)


async def refusal_of(filing: Filing, put: PutFile) -> Refused:
    with pytest.raises(Refused) as refused:
        await filing.put(put)
    return refused.value
