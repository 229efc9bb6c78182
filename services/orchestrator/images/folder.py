"""Uploaded files in a local folder: `files/user_alice/<file_id>/`.

Several processes share it, and each may receive some pieces of a file.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

from services.orchestrator.documents.folder_paths import REMOVING, WRITING, delete
from services.orchestrator.images.folder_paths import (
    DATA,
    Begun,
    began_after,
    complete_ids,
    entries,
    id_in,
    read_about,
    read_data,
    remove_old_leftovers,
    write_about,
)
from services.orchestrator.images.ports import ImageInfo
from shared.contract.errors import Refused, Transient
from shared.contract.requests import FileInfo, PutFile

T = TypeVar("T")
_LOCKS = 64
_THREADS = 2
"""The most uploads that are decoded at the same time; each may take 200 MB."""
_CAPITAL = re.compile("[A-Z]")


class FolderFiles:
    """Files on a disk. A file appears by one rename of its folder, after its content was checked."""

    def __init__(
        self, folder: Path, read_image: Callable[[bytes], ImageInfo], clock: Callable[[], datetime]
    ) -> None:
        """`read_image` raises Refused for bytes that are no image."""
        self._folder = folder
        self._read_image = read_image
        self._clock = clock
        self._locks = folder / ".locks"
        self._locks.mkdir(parents=True, exist_ok=True)
        # Threads of their own: work that waits for a lock delays no reader, and no turn's documents.
        self._locking = ThreadPoolExecutor(_THREADS, "files")
        for users_folder in folder.glob("user_*"):
            remove_old_leftovers(users_folder)

    async def _in_thread(self, work: Callable[[], T], threads: ThreadPoolExecutor | None = None) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except OSError as error:
            raise Transient(f"{self._folder} cannot be used: {error.strerror or error}") from error

    def _folder_of(self, user: str) -> Path:
        # After the prefix no name is special, not even `..`. The `^` before capitals keeps two users apart on
        # a disk that takes Bob for bob.
        return self._folder / f"user_{_CAPITAL.sub(lambda found: f'^{found[0].lower()}', user)}"

    @contextlib.contextmanager
    def _locked(self, user: str) -> Iterator[Path]:
        """The user's folder, locked over all processes. An empty folder is deleted at the end."""
        # All users share a few locks, so that no file has the name of a forgotten user.
        with (self._locks / f"{zlib.crc32(user.encode()) % _LOCKS:02d}").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = self._folder_of(user)
            try:
                yield folder
            finally:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    # --- putting ---

    async def put(self, piece: PutFile) -> FileInfo | None:
        return await self._in_thread(lambda: self._put(piece), self._locking)

    def _put(self, piece: PutFile) -> FileInfo | None:
        with self._locked(piece.user) as folder:
            whole, half = folder / piece.file_id, folder / f"{WRITING}{piece.file_id}"
            if (info := read_about(whole, FileInfo)) is not None:
                return _same(info, whole, piece)
            begun = self._begin(half, piece)
            if (begun.name, begun.bytes) != (piece.name, piece.size):
                raise _taken(piece.file_id)
            with (half / DATA).open("r+b") as data:
                there = data.seek(0, os.SEEK_END)
                if piece.offset > there:
                    raise Refused(
                        409, f"of the file only {there} bytes are here; send the piece at {there}", "offset"
                    )
                data.seek(piece.offset)
                data.write(piece.data)
            if max(there, piece.offset + len(piece.data)) < piece.size:
                return None
            return self._finish(begun, half, whole)

    def _begin(self, half: Path, piece: PutFile) -> Begun:
        begun = read_about(half, Begun)
        if begun is not None:
            return begun
        if piece.offset:
            raise Refused(409, "nothing is here of the file yet; begin with the piece at 0", "offset")
        half.parent.mkdir(exist_ok=True)
        remove_old_leftovers(half.parent)
        half.mkdir(exist_ok=True)
        (half / DATA).write_bytes(b"")
        begun = Begun(name=piece.name, bytes=piece.size, created_at=self._clock())
        write_about(half, begun)
        return begun

    def _finish(self, begun: Begun, half: Path, whole: Path) -> FileInfo:
        data = (half / DATA).read_bytes()
        try:
            image = self._read_image(data)
        except Refused:
            delete(half)
            raise
        info = FileInfo(
            file_id=whole.name,
            name=begun.name,
            media_type=image.media_type,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            width=image.width,
            height=image.height,
            created_at=begun.created_at,
        )
        write_about(half, info)
        half.rename(whole)
        return info

    # --- reading ---

    async def about(self, user: str, file_id: str) -> FileInfo | None:
        return await self._in_thread(lambda: read_about(self._folder_of(user) / file_id, FileInfo))

    async def read(self, user: str, file_id: str, offset: int, size: int) -> bytes | None:
        return await self._in_thread(lambda: read_data(self._folder_of(user) / file_id, offset, size))

    async def ids(self, user: str) -> list[str]:
        return await self._in_thread(lambda: sorted(complete_ids(self._folder_of(user))))

    # --- removing ---

    async def begun_until(self, user: str, moment: datetime) -> list[str]:
        return await self._in_thread(lambda: self._begun_until(user, moment), self._locking)

    def _begun_until(self, user: str, moment: datetime) -> list[str]:
        with self._locked(user) as folder:
            return sorted({id_in(path) for path in entries(folder) if not began_after(path, moment)})

    async def remove(self, user: str, file_ids: Collection[str]) -> int:
        if not file_ids:
            return 0
        return await self._in_thread(lambda: self._remove(user, file_ids), self._locking)

    def _remove(self, user: str, file_ids: Collection[str]) -> int:
        with self._locked(user) as folder:
            return sum(_delete(folder, file_id) for file_id in file_ids)


def _delete(folder: Path, file_id: str) -> bool:
    """Hides the file from readers in one step, then deletes it and leftovers of earlier attempts."""
    whole = folder / file_id
    was_whole = whole.exists()
    if was_whole:
        whole.replace(Path(mkdtemp(prefix=f"{REMOVING}{file_id}.", dir=folder)))
    for path in entries(folder):
        if id_in(path) == file_id:
            delete(path)
    return was_whole


def _same(info: FileInfo, whole: Path, piece: PutFile) -> FileInfo:
    """A repeated piece changes nothing. Raises Refused for a piece of another file."""
    if info.bytes != piece.size or read_data(whole, piece.offset, len(piece.data)) != piece.data:
        raise _taken(piece.file_id)
    return info


def _taken(file_id: str) -> Refused:
    return Refused(409, f"{file_id} is the id of another file; draw a new one", "file_id")
