"""One Qdrant Edge shard in its folder, for one process at a time."""

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import qdrant_edge as edge

from services.indexer.qdrant.edge_folder import (
    COPY,
    FORMER,
    Indexes,
    close_shard,
    copy_shard,
    locked,
    open_shard,
)
from services.indexer.qdrant.edge_rewriting import WITHOUT_REMOVED
from services.indexer.qdrant.readers_lock import ReadersLock
from shared.process.programs import run_program
from shared.process.room import Disk

R = TypeVar("R")
log = logging.getLogger(__name__)


class Shard:
    """The engine blocks, so calls run in threads: many at a time, none while the folder is swapped."""

    def __init__(self, folder: Path, config: edge.EdgeConfig, shard: edge.EdgeShard, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._config = config
        self._shard = shard
        self._calls = ReadersLock()
        self._writing = asyncio.Lock()
        self._rewriting = asyncio.Lock()
        self._since_copy: list[edge.UpdateOperation] | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path, config: edge.EdgeConfig, indexes: Indexes, disk: Disk
    ) -> AsyncIterator["Shard"]:
        """Raises SettingsError where another process has the folder open, or it holds other vectors."""
        with locked(folder):
            opened = cls(folder, config, await asyncio.to_thread(open_shard, folder, config, indexes), disk)
            try:
                yield opened
            finally:
                async with opened._calls.write():
                    await asyncio.to_thread(close_shard, opened._shard)

    async def call(self, function: Callable[[edge.EdgeShard], R]) -> R:
        async with self._calls.read():
            # A thread goes on after its task was cancelled, and needs the shard open.
            running = asyncio.ensure_future(asyncio.to_thread(function, self._shard))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait([running])
                raise

    async def call_here(self, function: Callable[[edge.EdgeShard], R]) -> R:
        """On the event loop, which waits meanwhile."""
        async with self._calls.read():
            return function(self._shard)

    async def write(self, operation: edge.UpdateOperation) -> None:
        """Raises Transient while the disk is full.

        The engine maps its files into memory. A write that the disk does not take ends the process (SIGBUS).
        """
        async with self._writing:
            self._disk.demand()
            await self.call(lambda shard: shard.update(operation))
            if self._since_copy is not None:
                self._since_copy.append(operation)

    async def rewrite(self, *, without_removed: bool = False) -> bool:
        """Merges segments, builds graphs, cuts the log. False where the engine failed: nothing has changed.

        `without_removed`: erases removed points from the segments.
        Another process works on a copy. What is written meanwhile is written to the copy afterwards. Searches
        and writes go on; they wait a fifth of a second at the end, while the copy takes the folder's place.
        """
        async with self._rewriting:
            copy = self._folder.with_name(f"{self._folder.name}{COPY}")
            try:
                async with self._writing:
                    await self.call(lambda shard: copy_shard(shard, self._folder, copy))
                    self._since_copy = []
                if not await _rewritten(copy, without_removed):
                    return False
                async with self._writing:
                    await asyncio.to_thread(self._catch_up, copy, self._since_copy)
                    async with self._calls.write():
                        self._shard = await asyncio.to_thread(self._swapped, copy)
                return True
            finally:
                self._since_copy = None
                await asyncio.to_thread(shutil.rmtree, copy, ignore_errors=True)

    def _catch_up(self, copy: Path, since: list[edge.UpdateOperation]) -> None:
        shard = edge.EdgeShard.load(str(copy), self._config)
        for operation in since:
            shard.update(operation)
        close_shard(shard)

    def _swapped(self, copy: Path) -> edge.EdgeShard:
        former = self._folder.with_name(f"{self._folder.name}{FORMER}")
        close_shard(self._shard)
        self._folder.rename(former)
        copy.rename(self._folder)
        shard = edge.EdgeShard.load(str(self._folder), self._config)
        shutil.rmtree(former)
        return shard


async def _rewritten(copy: Path, without_removed: bool) -> bool:
    arguments = [str(copy), *([WITHOUT_REMOVED] if without_removed else [])]
    module = "services.indexer.qdrant.edge_rewriting"
    status, _ = await run_program(sys.executable, "-m", module, *arguments)
    if status:
        log.warning("Qdrant's engine did not optimize %s (status %d)", copy, status)
    return status == 0
