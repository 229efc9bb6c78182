"""How a user's files lie on the disk: `<file_id>/` has `data` and `about.json`, unfinished work begins with a
dot."""

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from services.orchestrator.documents.folder_paths import LEFT_OVER_SECONDS, REMOVING, WRITING, delete
from shared.contract.events import decode, encode

S = TypeVar("S", bound=msgspec.Struct)
ABOUT, DATA = "about.json", "data"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """An incomplete file. A complete file's FileInfo has these fields too."""

    name: str
    bytes: int
    created_at: datetime


def entries(folder: Path) -> list[Path]:
    """Files, incomplete files, and leftovers of removed ones; none where the user has no folder."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def complete_ids(folder: Path) -> Iterator[str]:
    return (path.name for path in entries(folder) if not path.name.startswith("."))


def id_in(path: Path) -> str:
    """An id has no dots."""
    return path.name.removeprefix(WRITING).removeprefix(REMOVING).partition(".")[0]


def began_after(path: Path, moment: datetime) -> bool:
    begun = None if path.name.startswith(REMOVING) else read_about(path, Begun)
    return begun is not None and begun.created_at > moment


def read_about(folder: Path, kind: type[S]) -> S | None:
    try:
        return decode(kind, (folder / ABOUT).read_bytes())
    except FileNotFoundError:
        return None


def write_about(folder: Path, about: msgspec.Struct) -> None:
    """By a rename: a process that is killed in the meantime leaves the old content."""
    unfinished = folder / f".{ABOUT}"
    unfinished.write_bytes(encode(about))
    unfinished.replace(folder / ABOUT)


def read_data(folder: Path, offset: int, size: int) -> bytes | None:
    try:
        with (folder / DATA).open("rb") as data:
            data.seek(offset)
            return data.read(size)
    except FileNotFoundError:
        return None


def remove_old_leftovers(folder: Path) -> None:
    """Keeps those of the last hour: a process may be working on them."""
    for path in entries(folder):
        with contextlib.suppress(FileNotFoundError):
            data = path / DATA
            written = (data if data.exists() else path).stat().st_mtime
            if path.name.startswith(".") and time.time() - written > LEFT_OVER_SECONDS:
                delete(path)
