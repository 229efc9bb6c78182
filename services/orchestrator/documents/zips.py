"""Zips of archived turns: `archive/<yyyy-mm>/turn_000742_<turn_id>.zip`, which any program can open."""

import os
import re
import zipfile
from pathlib import Path

import msgspec

from services.orchestrator.documents.rendering import EVENTS, METADATA
from services.orchestrator.documents.turn_sources import keys_in
from shared.contract.events import UNREADABLE

_NAME = re.compile(r"turn_(\d{6,})_[A-Za-z0-9_-]{1,64}\.zip")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""One fixed time for all entries: the same turn always gives the same bytes."""


class TurnOwner(msgspec.Struct, frozen=True):
    """The fields of a turn's metadata that name its user and session."""

    turn_id: str
    turn_number: int
    user: str
    session_id: str
    ended_at: str = ""


def owner_of(path: Path) -> TurnOwner | None:
    """Reads a turn's folder or zip. None where it is missing or cannot be read: people may edit these
    files."""
    metadata = _read(path, METADATA)
    return None if metadata is None else owner_in(metadata)


def keys_of(path: Path) -> set[str] | None:
    """What the turn of a folder or zip was given. None where it is missing or cannot be read."""
    metadata = _read(path, METADATA)
    return None if metadata is None else keys_in(metadata, _read(path, EVENTS) or b"")


def _read(path: Path, name: str) -> bytes | None:
    try:
        return read_zipped(path, name) if is_zip(path) else (path / name).read_bytes()
    except (OSError, zipfile.BadZipFile):
        return None


def owner_in(metadata: bytes) -> TurnOwner | None:
    """None where the metadata cannot be read."""
    try:
        return msgspec.json.decode(metadata, type=TurnOwner)
    except UNREADABLE:
        return None


def is_zip(path: Path) -> bool:
    return path.suffix == ".zip"


def zip_files(folder: Path, target: Path) -> int:
    """Packs a folder's files into a zip, and syncs the zip to the disk. Returns the bytes of the files."""
    size = 0
    paths = sorted(folder.iterdir())  # Listed before `target` exists, which may lie in the same folder.
    with target.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for path in paths:
                data = path.read_bytes()
                size += len(data)
                entry = zipfile.ZipInfo(path.name, _EARLIEST)
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
        file.flush()
        os.fsync(file.fileno())
    return size


def read_zipped(path: Path, name: str) -> bytes:
    """Raises FileNotFoundError where the zip is missing, or has no file of that name."""
    with zipfile.ZipFile(path) as packed:
        try:
            return packed.read(name)
        except KeyError as error:
            raise FileNotFoundError(name) from error


def names_zipped(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as packed:
        return sorted(packed.namelist())


def zip_name(turn_dir: str, turn_id: str) -> str:
    return f"{turn_dir}_{turn_id}.zip"


def number_of(path: Path) -> int | None:
    match = _NAME.fullmatch(path.name)
    return int(match.group(1)) if match else None


def sync_folder(folder: Path) -> None:
    """Makes renames into the folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
