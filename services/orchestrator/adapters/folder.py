"""Turn documents in a local folder, each turn's in its own; old ones in archives."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

from services.orchestrator.adapters.archived import (
    about_turn,
    is_zip,
    names_zipped,
    read_zipped,
    zip_files,
    zip_name,
)
from services.orchestrator.adapters.folder_places import PACKING, WRITING, Places, delete
from services.orchestrator.domain.turn import turn_dir
from shared.errors import Transient

T = TypeVar("T")
_USED_AGAIN_SECONDS = 86_400.0
"""The time of the last reading is kept to the day."""


class FolderDocuments:
    """Documents on a disk. A folder appears by one rename, so that no reader sees half of it."""

    def __init__(self, folder: Path) -> None:
        self._places = Places(folder)
        self._places.remove_old_leftovers()

    # --- writing ---

    async def write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        try:
            return await asyncio.to_thread(self._write, turn_number, turn_id, files)
        except OSError as error:
            raise Transient(f"{self._places.folder} takes no turn: {error.strerror}") from error

    def _write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        target = self._places.folder / turn_dir(turn_number)
        if target.exists() or self._is_archived(turn_id):
            return False
        unfinished = Path(mkdtemp(prefix=f"{WRITING}{turn_id}.", dir=self._places.folder))
        try:
            for name, text in files.items():
                (unfinished / name).write_bytes(text.encode())
            unfinished.chmod(0o755)
            # The pointer first: it says nothing until the folder that it names is there. By a rename as well,
            # so that no reader finds it empty.
            pointer = unfinished / turn_id
            pointer.write_text(target.name)
            pointer.replace(self._places.by_id / turn_id)
            unfinished.rename(target)
        except OSError:
            if not target.exists():
                raise
            return False  # Another attempt at the same turn was faster.
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return True

    def _is_archived(self, turn_id: str) -> bool:
        place = self._places.place_of(turn_id)
        return place is not None and is_zip(place) and place.exists()

    # --- reading ---

    async def read(self, turn_id: str, name: str) -> str | None:
        # Asked of every turn at its beginning, when nearly none is there: not worth a thread.
        if not (self._places.by_id / turn_id).exists():
            return None
        return await asyncio.to_thread(self._read, turn_id, name)

    def _read(self, turn_id: str, name: str) -> str | None:
        def look(place: Path) -> str:
            data = read_zipped(place, name) if is_zip(place) else (place / name).read_bytes()
            return data.decode()

        return self._look(turn_id, look)

    async def names(self, turn_id: str) -> list[str]:
        return await asyncio.to_thread(self._names, turn_id)

    def _names(self, turn_id: str) -> list[str]:
        def look(place: Path) -> list[str]:
            if is_zip(place):
                return names_zipped(place)
            names = sorted(path.name for path in place.iterdir())
            if not names or self._places.place_of(turn_id) != place:
                raise FileNotFoundError(place)  # Archived while it was listed: half of it may be gone.
            return names

        return self._look(turn_id, look) or []

    def _look(self, turn_id: str, look: Callable[[Path], T]) -> T | None:
        """None where there is no such turn or document. A turn may be archived while it is looked for."""
        before = None
        while (place := self._places.place_of(turn_id)) is not None and place != before:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return look(place)
            before = place
        return None

    async def mark_used(self, turn_id: str) -> None:
        await asyncio.to_thread(self._mark_used, turn_id)

    def _mark_used(self, turn_id: str) -> None:
        place = self._places.place_of(turn_id)
        with contextlib.suppress(OSError):
            if place is not None and time.time() - place.stat().st_mtime > _USED_AGAIN_SECONDS:
                os.utime(place)

    async def highest_turn_number(self) -> int:
        return await asyncio.to_thread(self._highest)

    def _highest(self) -> int:
        numbers = (number for number, _ in (*self._places.folders(), *self._places.zips()))
        return max(numbers, default=0)

    async def rewrite(self, turn_id: str, files: Mapping[str, str]) -> None:
        try:
            await asyncio.to_thread(self._rewrite, turn_id, files)
        except OSError as error:
            raise Transient(f"{self._places.folder} takes no change: {error.strerror or error}") from error

    def _rewrite(self, turn_id: str, files: Mapping[str, str]) -> None:
        with self._places.one_at_a_time():
            for place in self._all_places_of(turn_id):
                if not place.exists():
                    continue
                aside = Path(mkdtemp(prefix=f"{WRITING}{turn_id}.", dir=self._places.folder))
                for name, text in files.items():
                    (aside / name).write_bytes(text.encode())
                if is_zip(place):
                    packed = aside.with_name(aside.name.replace(WRITING, PACKING, 1))
                    zip_files(aside, packed)
                    packed.replace(place)
                else:
                    for name in files:
                        (aside / name).replace(place / name)
                    for path in place.iterdir():
                        if path.name not in files:
                            path.unlink()
                delete(aside)

    # --- whose they are, and taking them away ---

    async def turns_of(self, user: str, session_id: str | None = None) -> list[tuple[int, str]]:
        return await asyncio.to_thread(self._turns_of, user, session_id)

    def _turns_of(self, user: str, session_id: str | None) -> list[tuple[int, str]]:
        # Folders first: a turn that is archived meanwhile is found in the archive then.
        finds = (self._places.folders, self._places.zips, self._places.hidden)
        places = (place for find in finds for _, place in list(find()))
        return sorted(
            {
                (turn.turn_number, turn.turn_id)
                for turn in map(about_turn, places)
                if turn is not None and turn.user == user and session_id in (None, turn.session_id)
            }
        )

    async def remove(self, turn_id: str) -> bool:
        try:
            return await asyncio.to_thread(self._remove, turn_id)
        except OSError as error:
            reason = error.strerror or error
            raise Transient(f"{self._places.folder} does not let turn {turn_id} go: {reason}") from error

    def _remove(self, turn_id: str) -> bool:
        with self._places.one_at_a_time():
            was_there = False
            for place in self._all_places_of(turn_id):
                was_there |= self._hide(place, turn_id)
            for leftover in self._places.leftovers(turn_id):
                delete(leftover)
                was_there = True
            (self._places.by_id / turn_id).unlink(missing_ok=True)
        return was_there

    def _all_places_of(self, turn_id: str) -> list[Path]:
        """Where packing broke off there are two."""
        place = self._places.place_of(turn_id)
        if place is None:
            return []
        name = place.name.removesuffix(f"_{turn_id}.zip")
        return [self._places.folder / name, *self._places.archive.glob(f"*/{zip_name(name, turn_id)}")]

    def _hide(self, place: Path, turn_id: str) -> bool:
        if not is_zip(place):
            return self._places.set_aside(place, turn_id) is not None
        place.unlink()
        return True
