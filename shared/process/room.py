"""The room on the disk: here it is decided when a disk is full, for the launcher and for every service.

A disk is full while less than DISK_RESERVE_BYTES are left. From then on nothing new is taken in. What was
taken in already uses the reserve.
"""

import asyncio
import errno
import os
from pathlib import Path
from typing import Final

import msgspec

from shared.contract.errors import Transient

_MIB: Final = 1024 * 1024
_FILES_RESERVE: Final = 64
_LOOK_SECONDS: Final = 1.0
_PASSING: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.EIO}
)
"""No room, a quota, open files, processes, memory, and a disk that fails for a while."""


def may_pass(error: OSError) -> bool:
    """Whether the same call may succeed later, when something else has given back what is short."""
    return error.errno in _PASSING


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of the file system of a folder, for users without privileges."""

    folder: str
    free_bytes: int
    reserve_bytes: int
    free_files: int | None = None
    """None: the file system does not limit their number."""

    @property
    def is_full(self) -> bool:
        return self.free_bytes < self.reserve_bytes or self._lacks_files

    @property
    def _lacks_files(self) -> bool:
        return self.reserve_bytes > 0 and self.free_files is not None and self.free_files < _FILES_RESERVE

    def __str__(self) -> str:
        if self._lacks_files:
            return (
                f"the disk of {self.folder} is full: it takes {self.free_files} more files, and "
                f"{_FILES_RESERVE} are kept free. Make room there, and Pandora goes on by itself"
            )
        missing = -(-(self.reserve_bytes - self.free_bytes) // _MIB)
        return (
            f"the disk of {self.folder} is full: {self.free_bytes // _MIB} MiB are left, and "
            f"{self.reserve_bytes // _MIB} MiB are kept free (DISK_RESERVE_BYTES). "
            f"Make room for {missing} MiB there, and Pandora goes on by itself"
        )


def _file_system_of(folder: Path) -> os.statvfs_result:
    try:
        return os.statvfs(folder)
    except (FileNotFoundError, NotADirectoryError):
        return _file_system_of(folder.parent)


class Disk:
    """The file system of a folder. A folder that is not there yet counts as the nearest one above it."""

    def __init__(self, folder: Path, reserve_bytes: int) -> None:
        self._folder = folder.absolute()
        self._reserve_bytes = reserve_bytes

    def room(self) -> Room:
        found = _file_system_of(self._folder)
        return Room(
            folder=str(self._folder),
            free_bytes=found.f_bavail * found.f_frsize,
            reserve_bytes=self._reserve_bytes,
            free_files=found.f_favail if found.f_files else None,
        )

    def demand(self) -> None:
        """Raises Transient while the disk is full."""
        room = self.room()
        if room.is_full:
            raise Transient(str(room), retry_in=_LOOK_SECONDS)

    async def check(self) -> None:
        """As `demand`, for `/readyz`."""
        self.demand()

    async def until_room(self) -> None:
        while self.room().is_full:  # noqa: ASYNC110  # no system sends a notice of it
            await asyncio.sleep(_LOOK_SECONDS)
