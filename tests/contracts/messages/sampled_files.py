"""Uploaded images: how they are put, found, read and deleted."""

import msgspec

from shared.contract.requests import (
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
from tests.contracts.messages.sampled_events import AT

FILE_ID = "file-0192f1a4-5b1e-7c3a-9d2f-1a2b3c4d5e6f"
INFO = FileInfo(
    file_id=FILE_ID,
    name="hive.png",
    media_type="image/png",
    bytes=1024,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    width=640,
    height=480,
    created_at=AT,
)
OF_FILES: dict[str, msgspec.Struct] = {
    "file.put": PutFile(
        user="alice", file_id=FILE_ID, name="hive.png", size=1024, offset=1016, data=b"IEND\xaeB`\x82"
    ),
    "file.put.reply": FilePut(file=INFO),
    "file.get": GetFile(user="alice", file_id=FILE_ID),
    "file.get.reply": INFO,
    "file.read": ReadFile(user="alice", file_id=FILE_ID, offset=512),
    "file.read.reply": FilePiece(data=b"\x89PNG\r\n\x1a\n", more=True),
    "file.list": ListFiles(user="alice", after=FILE_ID, limit=20),
    "file.list.reply": ListFilesReply(files=[INFO], more=True),
    "file.delete": DeleteFile(user="alice", file_id=FILE_ID),
    "file.delete.reply": FileDeleted(file_id=FILE_ID, deleted=True),
}
