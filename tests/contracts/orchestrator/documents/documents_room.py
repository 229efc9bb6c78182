"""Writes turns for tests, and lists what is on the disk."""

import json
import os
import time
from pathlib import Path

from services.orchestrator.documents.folder import FolderDocuments


class Crash(Exception):
    """The process ends here."""


def files(number: int, turn_id: str, user: str = "alice", session_id: str = "s1") -> dict[str, str]:
    about = {"turn_id": turn_id, "turn_number": number, "user": user, "session_id": session_id}
    return {
        "context.md": f"# Turn {number}\n\nÀ Lisbonne 🐝\r\n",
        "events.jsonl": '{"type":"output.delta"}\n' * 200,
        "metadata.json": json.dumps({**about, "ended_at": "2026-03-05T10:00:00Z"}),
    }


async def written(documents: FolderDocuments, number: int, **more: str) -> dict[str, str]:
    texts = files(number, f"t{number}", **more)
    await documents.write(number, f"t{number}", texts)
    return texts


async def read_all(documents: FolderDocuments, turn_id: str) -> dict[str, str | None]:
    return {name: await documents.read(turn_id, name) for name in await documents.names(turn_id)}


def crash(*arguments: object) -> None:
    raise Crash


def age(documents: FolderDocuments, number: int, *, days: int) -> None:
    then = time.time() - days * 86_400
    place = documents._paths.pointers.path_of(f"t{number}")
    assert place is not None
    os.utime(place, (then, then))


def zips_in(folder: Path) -> list[str]:
    return [name for name in everything_in(folder) if name.endswith(".zip")]


def everything_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".") and path.name != ".lock"]
