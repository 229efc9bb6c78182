"""Turn documents in a local folder: `turns/turn_000742/`, and `turns/by_id/<turn_id>` naming the folder."""

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from services.orchestrator.domain.turn import turn_dir
from shared.errors import Transient

_UNFINISHED = ".writing-"
_LEFT_OVER_SECONDS = 3600.0
"""A write takes milliseconds."""
_TURN_DIR = re.compile(r"turn_(\d{6,})$")


class FolderDocuments:
    """Documents on a disk. A folder appears by one rename, so that no reader sees half of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_id = folder / "by_id"
        self._by_id.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        """Of a process that was killed in the middle of a write; another one may be writing right now."""
        for leftover in self._folder.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > _LEFT_OVER_SECONDS:
                    shutil.rmtree(leftover, ignore_errors=True)

    async def write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        try:
            return await asyncio.to_thread(self._write, turn_number, turn_id, files)
        except OSError as error:
            raise Transient(f"{self._folder} takes no turn: {error.strerror}") from error

    def _write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        target = self._folder / turn_dir(turn_number)
        if target.exists():
            return False
        unfinished = Path(mkdtemp(prefix=_UNFINISHED, dir=self._folder))
        try:
            for name, text in files.items():
                (unfinished / name).write_bytes(text.encode())
            unfinished.chmod(0o755)
            # The pointer first: it says nothing until the folder that it names is there. By a rename as well,
            # so that no reader finds it empty.
            pointer = unfinished / turn_id
            pointer.write_text(target.name)
            pointer.replace(self._by_id / turn_id)
            unfinished.rename(target)
        except OSError:
            if not target.exists():
                raise
            return False  # Another attempt at the same turn was faster.
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return True

    async def read(self, turn_id: str, name: str) -> str | None:
        # Asked of every turn at its beginning, when nearly none is there: not worth a thread.
        if not (self._by_id / turn_id).exists():
            return None
        return await asyncio.to_thread(self._read, turn_id, name)

    def _read(self, turn_id: str, name: str) -> str | None:
        try:
            folder = self._folder / (self._by_id / turn_id).read_text()
            return (folder / name).read_bytes().decode()
        except FileNotFoundError:
            return None

    async def names(self, turn_id: str) -> list[str]:
        return await asyncio.to_thread(self._names, turn_id)

    def _names(self, turn_id: str) -> list[str]:
        try:
            folder = self._folder / (self._by_id / turn_id).read_text()
            return sorted(path.name for path in folder.iterdir())
        except FileNotFoundError:
            return []

    async def highest_turn_number(self) -> int:
        return await asyncio.to_thread(self._highest)

    def _highest(self) -> int:
        matches = (_TURN_DIR.match(path.name) for path in self._folder.iterdir())
        return max((int(match.group(1)) for match in matches if match), default=0)
