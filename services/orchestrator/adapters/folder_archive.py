"""Packs turns that nobody has read for long: their folders become zips that are read all the same."""

import asyncio
import contextlib
import os
import re
import time
from pathlib import Path
from tempfile import mkstemp

from services.orchestrator.adapters.archived import About, about_turn, sync_folder, zip_files, zip_name
from services.orchestrator.adapters.folder_places import PACKING, Places, delete
from services.orchestrator.ports import Packed
from shared.errors import Transient


class FolderArchive:
    """OldTurns over a folder of turns.

    A zip is written aside, brought to the disk and renamed; the pointer is changed; then the folder goes.
    Wherever that breaks off, the pointer names something whole, and the next run ends it.
    """

    def __init__(self, folder: Path) -> None:
        self._places = Places(folder)

    async def unused_since(self, moment: float) -> list[str]:
        return await asyncio.to_thread(self._unused_since, moment)

    def _unused_since(self, moment: float) -> list[str]:
        found = []
        for number, path in self._places.folders():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= moment:
                    found.append((number, path.name))
        return [name for _, name in sorted(found)]

    async def size_of(self, name: str) -> int:
        return await asyncio.to_thread(_size, self._places.folder / name)

    async def pack(self, name: str) -> Packed | None:
        try:
            return await asyncio.to_thread(self._pack, self._places.folder / name)
        except OSError as error:
            raise Transient(f"{self._places.folder} takes no archive: {error.strerror or error}") from error

    def _pack(self, folder: Path) -> Packed | None:
        with self._places.one_at_a_time():
            if not folder.is_dir() or (turn := about_turn(folder)) is None:
                return None
            place = self._places.place_of(turn.turn_id)
            if place is not None and place.suffix == ".zip" and place.exists():
                self._take_away(folder, turn.turn_id)  # Packing broke off right before this.
                return None
            if place != folder:
                return None
            target = self._places.archive / _month(turn, folder) / zip_name(folder.name, turn.turn_id)
            self._make(target.parent)
            before, after = self._write(folder, target, turn.turn_id)
            self._point(turn.turn_id, target)
            self._take_away(folder, turn.turn_id)
            return Packed(bytes_before=before, bytes_after=after)

    def _write(self, folder: Path, target: Path, turn_id: str) -> tuple[int, int]:
        unfinished = self._aside(turn_id)
        try:
            before, after = zip_files(folder, unfinished), unfinished.stat().st_size
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_folder(target.parent)
        return before, after

    def _make(self, month: Path) -> None:
        if not month.exists():
            month.mkdir(parents=True, exist_ok=True)
            sync_folder(self._places.archive)
            sync_folder(self._places.folder)

    def _point(self, turn_id: str, target: Path) -> None:
        """From here on readers look into the zip; the folder may go."""
        pointer = self._aside(turn_id)
        with pointer.open("w") as file:
            file.write(str(target.relative_to(self._places.folder)))
            file.flush()
            os.fsync(file.fileno())
        pointer.replace(self._places.by_id / turn_id)
        sync_folder(self._places.by_id)

    def _aside(self, turn_id: str) -> Path:
        descriptor, name = mkstemp(prefix=f"{PACKING}{turn_id}.", dir=self._places.folder)
        os.close(descriptor)
        Path(name).chmod(0o644)
        return Path(name)

    def _take_away(self, folder: Path, turn_id: str) -> None:
        if (aside := self._places.set_aside(folder, turn_id)) is not None:
            delete(aside)


def _month(turn: About, folder: Path) -> str:
    if re.match(r"\d{4}-\d{2}-", turn.ended_at):
        return turn.ended_at[:7]
    return time.strftime("%Y-%m", time.gmtime(folder.stat().st_mtime))


def _size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except FileNotFoundError:
        return 0
