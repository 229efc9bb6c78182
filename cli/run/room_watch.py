"""What the launcher sees of the room on the disk, and says of it."""

import asyncio
import time
from collections.abc import Callable

from shared.process.room import Disk

_LOOK_SECONDS = 1.0
_LATELY_SECONDS = 30.0
"""What begins just after there is room may still die of what the full disk has left."""


class RoomWatch:
    """Says once that the disk is full, and once that there is room again."""

    def __init__(self, disk: Disk, say: Callable[[str], None]) -> None:
        self._disk = disk
        self._say = say
        self._is_full = False
        self._last_full = float("-inf")

    def is_full(self) -> bool:
        room = self._disk.room()
        if room.is_full:
            self._last_full = time.monotonic()
            if not self._is_full:
                self._say(f"{room}. Until then no part is started again")
        elif self._is_full:
            self._say(f"there is room on the disk of {room.folder} again")
        self._is_full = room.is_full
        return room.is_full

    def was_full_lately(self) -> bool:
        return self.is_full() or time.monotonic() - self._last_full < _LATELY_SECONDS

    async def until_room(self) -> None:
        while self.is_full():  # noqa: ASYNC110  # no system sends a notice of it
            await asyncio.sleep(_LOOK_SECONDS)

    async def run(self, at_each_look: Callable[[], None]) -> None:
        while True:
            await self.until_room()
            at_each_look()
            await asyncio.sleep(_LOOK_SECONDS)
