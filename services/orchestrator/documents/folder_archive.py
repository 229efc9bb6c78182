"""Packs turns that were not read for long: their folders become zips, which are read in the same way."""

import asyncio
import contextlib
import os
import re
import time
from pathlib import Path
from tempfile import mkstemp

from services.orchestrator.documents.folder_paths import PACKING, TurnPaths, delete
from services.orchestrator.documents.pointing import move
from services.orchestrator.documents.ports import Packed
from services.orchestrator.documents.zips import TurnOwner, is_zip, owner_of, sync_folder, zip_files, zip_name
from shared.contract.errors import Transient


class FolderArchive:
    """OldTurns over a folder of turns.

    The zip is written under another name, synced and renamed. Then the pointer is changed, then the folder is
    deleted. A crash at any point leaves a pointer to complete documents, and the next run finishes the work.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = TurnPaths(folder)

    async def unused_since(self, moment: float) -> list[str]:
        return await asyncio.to_thread(self._unused_since, moment)

    def _unused_since(self, moment: float) -> list[str]:
        found = []
        for number, path in self._paths.folders():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= moment:
                    found.append((number, str(path.relative_to(self._paths.folder))))
        return [name for _, name in sorted(found)]

    async def unsorted(self) -> list[str]:
        return await asyncio.to_thread(self._paths.pointers.unsorted)

    async def sort(self, turn_id: str) -> None:
        try:
            await asyncio.to_thread(self._sort, turn_id)
        except OSError as error:
            raise Transient(f"{self._paths.folder} takes no pointer: {error.strerror or error}") from error

    def _sort(self, turn_id: str) -> None:
        with self._paths.one_at_a_time():
            self._paths.pointers.sort(turn_id)

    async def size_of(self, name: str) -> int:
        return await asyncio.to_thread(_size, self._paths.folder / name)

    async def pack(self, name: str) -> Packed | None:
        try:
            return await asyncio.to_thread(self._pack, self._paths.folder / name)
        except OSError as error:
            raise Transient(f"{self._paths.folder} takes no archive: {error.strerror or error}") from error

    def _pack(self, folder: Path) -> Packed | None:
        with self._paths.one_at_a_time():
            if not folder.is_dir() or (turn := owner_of(folder)) is None:
                return None
            self._paths.pointers.sort(turn.turn_id)
            path = self._paths.pointers.path_of(turn.turn_id)
            if path is not None and is_zip(path) and path.exists():
                self._delete(folder, turn.turn_id)  # A crash came right before this step.
                return None
            if path != folder:
                return None
            target = self._paths.archive / _month(turn, folder) / zip_name(folder.name, turn.turn_id)
            self._make(target.parent)
            before, after = self._write(folder, target, turn.turn_id)
            self._point(turn.turn_id, target)
            self._delete(folder, turn.turn_id)
            return Packed(bytes_before=before, bytes_after=after)

    def _write(self, folder: Path, target: Path, turn_id: str) -> tuple[int, int]:
        unfinished = self._new_file(turn_id)
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
            sync_folder(self._paths.archive)
            sync_folder(self._paths.folder)

    def _point(self, turn_id: str, target: Path) -> None:
        """From here on readers use the zip, and the folder may be deleted."""
        pointer = self._new_file(turn_id)
        with pointer.open("w") as file:
            file.write(str(target.relative_to(self._paths.folder)))
            file.flush()
            os.fsync(file.fileno())
        place = Path(self._paths.pointers.place_of(turn_id))
        move(pointer, place)
        sync_folder(place.parent)

    def _new_file(self, turn_id: str) -> Path:
        descriptor, name = mkstemp(prefix=f"{PACKING}{turn_id}.", dir=self._paths.folder)
        os.close(descriptor)
        Path(name).chmod(0o644)
        return Path(name)

    def _delete(self, folder: Path, turn_id: str) -> None:
        if (aside := self._paths.set_aside(folder, turn_id)) is not None:
            delete(aside)


def _month(turn: TurnOwner, folder: Path) -> str:
    if re.match(r"\d{4}-\d{2}-", turn.ended_at):
        return turn.ended_at[:7]
    return time.strftime("%Y-%m", time.gmtime(folder.stat().st_mtime))


def _size(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except FileNotFoundError:
        return 0
