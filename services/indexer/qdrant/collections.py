"""Collections of Qdrant's engine: folders."""

import asyncio
import shutil
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from services.indexer.passages.index import PassageIndex
from services.indexer.qdrant.edge import EdgePassageIndex
from shared.contract.requests import Kind
from shared.process.room import Disk

NAMES: dict[Kind, str] = {"turn": "turns", "memory": "memories", "research": "research"}
FIRST = "turns"
"""Of version 0.1."""


class EdgeCollections:
    """Collections over a folder: `<name of the generation>/<turns, memories or research>`."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._disk = disk

    def open(self, kind: Kind, name: str, dimension: int) -> AbstractAsyncContextManager[PassageIndex]:
        return EdgePassageIndex.open(self._folder / name / NAMES[kind], dimension, kind, self._disk)

    async def remove(self, kind: Kind, name: str) -> None:
        await asyncio.to_thread(self._remove, self._folder / name / NAMES[kind])

    async def remove_first(self) -> None:
        await asyncio.to_thread(self._remove, self._folder / FIRST)

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)
        if folder.parent != self._folder:
            with suppress(OSError):  # The generation has other collections there.
                folder.parent.rmdir()
