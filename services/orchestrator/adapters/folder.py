"""Turn documents in a local folder: `turns/turn_000742/`, and `turns/by_id/<turn_id>` naming the folder."""

import asyncio
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from services.orchestrator.domain.turn import turn_dir

_TURN_DIR = re.compile(r"turn_(\d{6,})$")


class FolderDocuments:
    """Documents on a disk. A folder appears by one rename, so that no reader sees half of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_id = folder / "by_id"
        self._by_id.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".writing-*"):  # Of a process that was killed in the middle of a write.
            shutil.rmtree(leftover, ignore_errors=True)

    async def write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> None:
        await asyncio.to_thread(self._write, turn_number, turn_id, files)

    def _write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> None:
        target = self._folder / turn_dir(turn_number)
        if target.exists():
            return
        unfinished = Path(mkdtemp(prefix=".writing-", dir=self._folder))
        for name, text in files.items():
            (unfinished / name).write_text(text, encoding="utf-8")
        unfinished.chmod(0o755)
        # The pointer first: it says nothing until the folder that it names is there.
        (self._by_id / turn_id).write_text(target.name)
        unfinished.rename(target)

    async def read(self, turn_id: str, name: str) -> str | None:
        return await asyncio.to_thread(self._read, turn_id, name)

    def _read(self, turn_id: str, name: str) -> str | None:
        try:
            folder = self._folder / (self._by_id / turn_id).read_text()
            return (folder / name).read_text(encoding="utf-8")
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
