"""Turn documents in a local folder, one folder for each turn; archived turns in zips."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp
from typing import TypeVar

from services.orchestrator.documents.folder_paths import PACKING, WRITING, TurnPaths, delete
from services.orchestrator.documents.pointing import move
from services.orchestrator.documents.rendering import EVENTS, METADATA
from services.orchestrator.documents.turn_sources import keys_in, of_session
from services.orchestrator.documents.zips import (
    TurnOwner,
    is_zip,
    keys_of,
    names_zipped,
    owner_in,
    owner_of,
    read_zipped,
    zip_files,
    zip_name,
)
from services.orchestrator.turn.state import turn_dir
from shared.contract.errors import Transient

T = TypeVar("T")
_USED_AGAIN_SECONDS = 86_400.0
"""The time of the last reading is exact to a day."""


class FolderDocuments:
    """Documents on a disk. A folder appears by one rename, so no reader sees half of it."""

    def __init__(self, folder: Path) -> None:
        self._paths = TurnPaths(folder)
        self._paths.remove_old_leftovers()

    # --- writing ---

    async def write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        try:
            return await asyncio.to_thread(self._write, turn_number, turn_id, files)
        except OSError as error:
            raise Transient(f"{self._paths.folder} takes no turn: {error.strerror}") from error

    def _write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        target = self._paths.folder / turn_dir(turn_number)
        if any(map(os.path.exists, self._paths.places(target.name))) or self._is_archived(turn_id):
            return False
        unfinished = f"{self._paths.folder}/{WRITING}{turn_id}.{token_hex(6)}"
        Path(unfinished).mkdir(mode=0o755)
        is_done = False
        try:
            for name, text in files.items():
                _write_file(f"{unfinished}/{name}", text.encode())
            # The pointers first: without the folder that they name, they have no effect. The turn's own is
            # renamed as well, so that no reader finds it empty.
            metadata, events = (files.get(name, "").encode() for name in (METADATA, EVENTS))
            if (owner := owner_in(metadata)) is not None:
                self._paths.pointers.note_owner(owner, keys_in(metadata, events))
            pointer = f"{unfinished}/{turn_id}"
            _write_file(pointer, turn_dir(turn_number).encode())
            move(pointer, self._paths.pointers.place_of(turn_id))
            move(unfinished, target)
            is_done = True
        except OSError:
            if not target.exists():
                raise
        finally:
            if not is_done:  # Another attempt at the same turn was faster, or the disk took no more.
                shutil.rmtree(unfinished, ignore_errors=True)
        return is_done

    def _is_archived(self, turn_id: str) -> bool:
        path = self._paths.pointers.path_of(turn_id)
        return path is not None and is_zip(path) and path.exists()

    async def rewrite(self, turn_id: str, files: Mapping[str, str]) -> None:
        try:
            await asyncio.to_thread(self._rewrite, turn_id, files)
        except OSError as error:
            raise Transient(f"{self._paths.folder} takes no change: {error.strerror or error}") from error

    def _rewrite(self, turn_id: str, files: Mapping[str, str]) -> None:
        with self._paths.one_at_a_time():
            for path in self._all_paths_of(turn_id):
                if not path.exists():
                    continue
                owner, sources = owner_of(path), keys_of(path) or set()
                aside = Path(mkdtemp(prefix=f"{WRITING}{turn_id}.", dir=self._paths.folder))
                for name, text in files.items():
                    (aside / name).write_bytes(text.encode())
                if is_zip(path):
                    packed = aside.with_name(aside.name.replace(WRITING, PACKING, 1))
                    zip_files(aside, packed)
                    packed.replace(path)
                else:
                    _replace_all(path, aside, files)
                delete(aside)
                if owner is not None:
                    self._paths.pointers.remove_sources(owner, sources - (keys_of(path) or sources))

    # --- reading ---

    async def read(self, turn_id: str, name: str) -> str | None:
        # Every turn asks this at its beginning, when it hardly ever has a folder: not worth a thread.
        if self._paths.pointers.path_of(turn_id) is None:
            return None
        return await asyncio.to_thread(self._read, turn_id, name)

    def _read(self, turn_id: str, name: str) -> str | None:
        def read(path: Path) -> str:
            data = read_zipped(path, name) if is_zip(path) else (path / name).read_bytes()
            return data.decode()

        return self._found(turn_id, read)

    async def names(self, turn_id: str) -> list[str]:
        return await asyncio.to_thread(self._names, turn_id)

    def _names(self, turn_id: str) -> list[str]:
        def read(path: Path) -> list[str]:
            if is_zip(path):
                return names_zipped(path)
            names = sorted(file.name for file in path.iterdir())
            if not names or self._paths.pointers.path_of(turn_id) != path:
                raise FileNotFoundError(path)  # Archived during the listing, which may have missed files.
            return names

        return self._found(turn_id, read) or []

    def _found(self, turn_id: str, read: Callable[[Path], T]) -> T | None:
        """None where there is no such turn or document. Reads again where it was archived in between."""
        before = None
        while (path := self._paths.pointers.path_of(turn_id)) is not None and path != before:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return read(path)
            before = path
        return None

    async def mark_used(self, turn_id: str) -> None:
        await asyncio.to_thread(self._mark_used, turn_id)

    def _mark_used(self, turn_id: str) -> None:
        path = self._paths.pointers.path_of(turn_id)
        with contextlib.suppress(OSError):
            if path is not None and time.time() - path.stat().st_mtime > _USED_AGAIN_SECONDS:
                os.utime(path)

    async def highest_turn_number(self) -> int:
        return await asyncio.to_thread(self._highest)

    def _highest(self) -> int:
        zipped = max((number for number, _ in self._paths.zips()), default=0)
        return max(zipped, self._paths.highest_open())

    async def turns_of(self, user: str, session_id: str | None = None) -> list[tuple[int, str]]:
        return await asyncio.to_thread(self._turns_of, user, session_id)

    def _turns_of(self, user: str, session_id: str | None) -> list[tuple[int, str]]:
        pointers = self._paths.pointers
        ids = pointers.of_user(user) if session_id is None else pointers.given(user, {of_session(session_id)})
        known = map(self._owner, ids)
        hidden = (owner_of(path) for _, path in self._paths.hidden())
        return sorted(
            {
                (turn.turn_number, turn.turn_id)
                for turn in (*known, *hidden)
                if turn is not None and turn.user == user and session_id in (None, turn.session_id)
            }
        )

    async def turns_given(self, user: str, sources: Collection[str]) -> set[str]:
        return await asyncio.to_thread(self._paths.pointers.given, user, sources)

    def _owner(self, turn_id: str) -> TurnOwner | None:
        def read(path: Path) -> TurnOwner | None:
            if (owner := owner_of(path)) is None and not path.exists():
                raise FileNotFoundError(path)  # Archived in between.
            return owner

        return self._found(turn_id, read)

    # --- removing ---

    async def remove(self, turn_id: str) -> bool:
        try:
            return await asyncio.to_thread(self._remove, turn_id)
        except OSError as error:
            reason = error.strerror or error
            raise Transient(f"{self._paths.folder} does not let turn {turn_id} go: {reason}") from error

    def _remove(self, turn_id: str) -> bool:
        with self._paths.one_at_a_time():
            was_there = False
            paths = self._all_paths_of(turn_id)
            described = [
                (owner_of(path), keys_of(path)) for path in (*paths, *self._paths.leftovers(turn_id))
            ]
            # Before anything is hidden: of what is half removed, only the owner is known.
            for owner, sources in described:
                if owner is not None:
                    self._paths.pointers.remove_sources(owner, sources or ())
            for path in paths:
                was_there |= self._hide(path, turn_id)
            # What is hidden still names its owner, and is deleted after this.
            for owner, _ in described:
                if owner is not None:
                    self._paths.pointers.remove_owner(owner)
            for leftover in self._paths.leftovers(turn_id):
                delete(leftover)
                was_there = True
            self._paths.pointers.remove(turn_id)
        return was_there

    def _all_paths_of(self, turn_id: str) -> list[Path]:
        """Folders and zips. A crash of the archive can leave both."""
        path = self._paths.pointers.path_of(turn_id)
        if path is None:
            return []
        name = path.name.removesuffix(f"_{turn_id}.zip")
        return [*self._paths.places(name), *self._paths.archive.glob(f"*/{zip_name(name, turn_id)}")]

    def _hide(self, path: Path, turn_id: str) -> bool:
        if not is_zip(path):
            return self._paths.set_aside(path, turn_id) is not None
        path.unlink()
        return True


def _write_file(path: str, data: bytes) -> None:
    """A third of the time of `Path.write_bytes`: a turn has six files."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        while data:
            data = data[os.write(file, data) :]
    finally:
        os.close(file)


def _replace_all(folder: Path, aside: Path, names: Mapping[str, str]) -> None:
    """Moves these files from `aside` into the folder, and deletes all others there."""
    for name in names:
        (aside / name).replace(folder / name)
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
