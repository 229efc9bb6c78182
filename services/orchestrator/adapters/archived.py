"""Archived turns: `archive/<yyyy-mm>/turn_000742_<turn_id>.zip`, which any program opens."""

import os
import re
import zipfile
from pathlib import Path

import msgspec

from services.orchestrator.domain.documents import METADATA

_NAME = re.compile(r"turn_(\d{6,})_[A-Za-z0-9_-]{1,64}\.zip")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The same turn is packed into the same bytes, whoever does it and when."""


class About(msgspec.Struct, frozen=True):
    """What a turn's metadata says about whose it is."""

    turn_id: str
    turn_number: int
    user: str
    session_id: str
    ended_at: str = ""


def about_turn(place: Path) -> About | None:
    """Of a turn's folder or zip; None where it is gone or cannot be read: a person may have edited it."""
    try:
        metadata = read_zipped(place, METADATA) if is_zip(place) else (place / METADATA).read_bytes()
        return msgspec.json.decode(metadata, type=About)
    except (OSError, zipfile.BadZipFile, msgspec.DecodeError, UnicodeDecodeError):
        return None


def is_zip(place: Path) -> bool:
    return place.suffix == ".zip"


def zip_files(folder: Path, target: Path) -> int:
    """Packs a folder's files into a zip that is on the disk when this returns; their bytes before."""
    size = 0
    paths = sorted(folder.iterdir())  # Before the target is there: it may lie among them.
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
    """Raises FileNotFoundError where there is no such file, or none of that name in it."""
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
    """What was renamed into it stays there, even where the power fails."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
