"""Uploaded files in a local folder: `files/user_alice/<file_id>/` with `data` and `about.json`.

Several processes share it, and the pieces of one file may come to several of them.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeVar

import msgspec

from services.orchestrator.adapters.folder_places import LEFT_OVER_SECONDS, REMOVING, WRITING, delete
from services.orchestrator.files import Looked
from shared.errors import Refused, Transient
from shared.events import decode, encode
from shared.replies import FileInfo, PutFile

T = TypeVar("T")
_ABOUT, _DATA = "about.json", "data"
_LOCKS = 64
_THREADS = 2
"""So many uploads are looked at at once: decoded, each may take 200 MB."""
_CAPITAL = re.compile("[A-Z]")


class _Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A file of which not all has come; the beginning of its FileInfo."""

    name: str
    bytes: int
    created_at: datetime


class FolderFiles:
    """Files on a disk. A file appears by one rename of its folder, once its content was looked at."""

    def __init__(self, folder: Path, look: Callable[[bytes], Looked], clock: Callable[[], datetime]) -> None:
        """`look` says what an image is, and raises Refused for what is none."""
        self._folder = folder
        self._look = look
        self._clock = clock
        self._locks = folder / ".locks"
        self._locks.mkdir(parents=True, exist_ok=True)
        # Their own: whoever waits for a lock here keeps nobody from reading, and no turn from its documents.
        self._locking = ThreadPoolExecutor(_THREADS, "files")
        for place in folder.glob("user_*"):
            _remove_old_leftovers(place)

    async def _in_thread(self, work: Callable[[], T], threads: ThreadPoolExecutor | None = None) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except OSError as error:
            raise Transient(f"{self._folder} cannot be used: {error.strerror or error}") from error

    def _place_of(self, user: str) -> Path:
        # Behind the prefix no name is special, `..` neither; with `^` before capitals two users stay two
        # where the disk takes Bob for bob.
        return self._folder / f"user_{_CAPITAL.sub(lambda found: f'^{found[0].lower()}', user)}"

    @contextlib.contextmanager
    def _alone(self, user: str) -> Iterator[Path]:
        """The user's folder, over all processes; it goes again where nothing is in it."""
        # Few locks for all, so that a forgotten user's name stays in none.
        with (self._locks / f"{zlib.crc32(user.encode()) % _LOCKS:02d}").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            place = self._place_of(user)
            try:
                yield place
            finally:
                with contextlib.suppress(OSError):
                    place.rmdir()

    # --- putting ---

    async def put(self, piece: PutFile) -> FileInfo | None:
        return await self._in_thread(lambda: self._put(piece), self._locking)

    def _put(self, piece: PutFile) -> FileInfo | None:
        with self._alone(piece.user) as place:
            whole, half = place / piece.file_id, place / f"{WRITING}{piece.file_id}"
            if (info := _read_about(whole, FileInfo)) is not None:
                return _same(info, whole, piece)
            begun = self._begin(half, piece)
            if (begun.name, begun.bytes) != (piece.name, piece.size):
                raise _taken(piece.file_id)
            with (half / _DATA).open("r+b") as data:
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

    def _begin(self, half: Path, piece: PutFile) -> _Begun:
        begun = _read_about(half, _Begun)
        if begun is not None:
            return begun
        if piece.offset:
            raise Refused(409, "nothing is here of the file yet; begin with the piece at 0", "offset")
        half.parent.mkdir(exist_ok=True)
        _remove_old_leftovers(half.parent)
        half.mkdir(exist_ok=True)
        (half / _DATA).write_bytes(b"")
        begun = _Begun(name=piece.name, bytes=piece.size, created_at=self._clock())
        _write_about(half, begun)
        return begun

    def _finish(self, begun: _Begun, half: Path, whole: Path) -> FileInfo:
        data = (half / _DATA).read_bytes()
        try:
            looked = self._look(data)
        except Refused:
            delete(half)
            raise
        info = FileInfo(
            file_id=whole.name,
            name=begun.name,
            media_type=looked.media_type,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            width=looked.width,
            height=looked.height,
            created_at=begun.created_at,
        )
        _write_about(half, info)
        half.rename(whole)
        return info

    # --- reading ---

    async def about(self, user: str, file_id: str) -> FileInfo | None:
        return await self._in_thread(lambda: _read_about(self._place_of(user) / file_id, FileInfo))

    async def read(self, user: str, file_id: str, offset: int, size: int) -> bytes | None:
        return await self._in_thread(lambda: _read(self._place_of(user) / file_id / _DATA, offset, size))

    async def ids(self, user: str) -> list[str]:
        return await self._in_thread(lambda: sorted(_whole(self._place_of(user))))

    # --- taking away ---

    async def begun_until(self, user: str, moment: datetime) -> list[str]:
        return await self._in_thread(lambda: self._begun_until(user, moment), self._locking)

    def _begun_until(self, user: str, moment: datetime) -> list[str]:
        with self._alone(user) as place:
            return sorted({_id_in(path) for path in _entries(place) if not _began_after(path, moment)})

    async def remove(self, user: str, file_ids: Collection[str]) -> int:
        if not file_ids:
            return 0
        return await self._in_thread(lambda: self._remove(user, file_ids), self._locking)

    def _remove(self, user: str, file_ids: Collection[str]) -> int:
        with self._alone(user) as place:
            return sum(_take_away(place, file_id) for file_id in file_ids)


def _take_away(place: Path, file_id: str) -> bool:
    """Out of every reader's sight in one step, then its bytes, and those of what broke off before."""
    whole = place / file_id
    was_whole = whole.exists()
    if was_whole:
        whole.replace(Path(mkdtemp(prefix=f"{REMOVING}{file_id}.", dir=place)))
    for path in _entries(place):
        if _id_in(path) == file_id:
            delete(path)
    return was_whole


def _entries(place: Path) -> list[Path]:
    """Files, half files and what is left of removed ones; none where the user has no folder."""
    try:
        return list(place.iterdir())
    except FileNotFoundError:
        return []


def _whole(place: Path) -> Iterator[str]:
    return (path.name for path in _entries(place) if not path.name.startswith("."))


def _id_in(path: Path) -> str:
    """An id has no dots."""
    return path.name.removeprefix(WRITING).removeprefix(REMOVING).partition(".")[0]


def _began_after(path: Path, moment: datetime) -> bool:
    begun = None if path.name.startswith(REMOVING) else _read_about(path, _Begun)
    return begun is not None and begun.created_at > moment


S = TypeVar("S", bound=msgspec.Struct)


def _read_about(folder: Path, kind: type[S]) -> S | None:
    try:
        return decode(kind, (folder / _ABOUT).read_bytes())
    except FileNotFoundError:
        return None


def _write_about(folder: Path, about: msgspec.Struct) -> None:
    """By a rename: whoever is killed meanwhile leaves what was there."""
    unfinished = folder / f".{_ABOUT}"
    unfinished.write_bytes(encode(about))
    unfinished.replace(folder / _ABOUT)


def _read(path: Path, offset: int, size: int) -> bytes | None:
    try:
        with path.open("rb") as data:
            data.seek(offset)
            return data.read(size)
    except FileNotFoundError:
        return None


def _same(info: FileInfo, whole: Path, piece: PutFile) -> FileInfo:
    """A piece that comes again changes nothing. Raises Refused for one of another file."""
    if info.bytes != piece.size or _read(whole / _DATA, piece.offset, len(piece.data)) != piece.data:
        raise _taken(piece.file_id)
    return info


def _taken(file_id: str) -> Refused:
    return Refused(409, f"{file_id} is the id of another file; draw a new one", "file_id")


def _remove_old_leftovers(place: Path) -> None:
    """Those of the last hour may be somebody's work right now."""
    for path in _entries(place):
        with contextlib.suppress(FileNotFoundError):
            data = path / _DATA
            written = (data if data.exists() else path).stat().st_mtime
            if path.name.startswith(".") and time.time() - written > LEFT_OVER_SECONDS:
                delete(path)
