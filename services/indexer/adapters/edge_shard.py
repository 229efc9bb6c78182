"""One Qdrant Edge shard in its folder, for one process at a time."""

import asyncio
import fcntl
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import qdrant_edge as edge

from services.indexer.adapters.edge_rewriting import WITHOUT_REMOVED
from shared.errors import SettingsError

R = TypeVar("R")
log = logging.getLogger(__name__)
_COPY, _FORMER = ".copy", ".former"
"""Beside the folder while it is rewritten."""


class Shard:
    """The engine blocks, so each call runs in a thread; many at a time, and none while it is shut."""

    def __init__(self, folder: Path, config: edge.EdgeConfig, shard: edge.EdgeShard) -> None:
        self._folder = folder
        self._config = config
        self._shard = shard
        self._calls = _Gate()
        self._writing = asyncio.Lock()
        self._rewriting = asyncio.Lock()
        self._since_copy: list[edge.UpdateOperation] | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path, config: edge.EdgeConfig, indexes: dict[str, object]
    ) -> AsyncIterator["Shard"]:
        """Raises SettingsError where another process has the folder open, or it holds other vectors."""
        with _lock(folder):
            opened = cls(folder, config, await asyncio.to_thread(_open, folder, config, indexes))
            try:
                yield opened
            finally:
                async with opened._calls.alone():
                    await asyncio.to_thread(_close, opened._shard)

    async def call(self, function: Callable[[edge.EdgeShard], R]) -> R:
        async with self._calls.shared():
            # A thread goes on when nobody waits for it any more; the shard must stay open for it.
            running = asyncio.ensure_future(asyncio.to_thread(function, self._shard))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait([running])
                raise

    async def write(self, operation: edge.UpdateOperation) -> None:
        async with self._writing:
            await self.call(lambda shard: shard.update(operation))
            if self._since_copy is not None:
                self._since_copy.append(operation)

    async def rewrite(self, *, without_removed: bool = False) -> bool:
        """Merges segments, builds graphs, cuts the log. False where the engine failed: all is as before.

        `without_removed`: and leaves no removed point in them.
        Another process works on a copy, and what is written meanwhile is written to the copy afterwards.
        Searches and writes go on; at the end they wait a fifth of a second, while the copy takes its place.
        """
        async with self._rewriting:
            copy = self._folder.with_name(f"{self._folder.name}{_COPY}")
            try:
                async with self._writing:
                    await self.call(lambda shard: _copy(shard, self._folder, copy))
                    self._since_copy = []
                if not await _rewritten(copy, without_removed):
                    return False
                async with self._writing:
                    await asyncio.to_thread(self._catch_up, copy, self._since_copy)
                    async with self._calls.alone():
                        self._shard = await asyncio.to_thread(self._swapped, copy)
                return True
            finally:
                self._since_copy = None
                await asyncio.to_thread(shutil.rmtree, copy, ignore_errors=True)

    def _catch_up(self, copy: Path, since: list[edge.UpdateOperation]) -> None:
        shard = edge.EdgeShard.load(str(copy), self._config)
        for operation in since:
            shard.update(operation)
        _close(shard)

    def _swapped(self, copy: Path) -> edge.EdgeShard:
        former = self._folder.with_name(f"{self._folder.name}{_FORMER}")
        _close(self._shard)
        self._folder.rename(former)
        copy.rename(self._folder)
        shard = edge.EdgeShard.load(str(self._folder), self._config)
        shutil.rmtree(former)
        return shard


class _Gate:
    """Many at a time, or one alone, who goes before those that come later."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._inside = 0
        self._shut = False

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._shut)
            self._inside += 1
        try:
            yield
        finally:
            async with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._shut)
            self._shut = True
            await self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            async with self._changed:
                self._shut = False
                self._changed.notify_all()


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Two engines over one folder would destroy it; the lock goes with the process, however it ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"{folder} is open in another indexer. Stop that one, or run a Qdrant server and set "
                "QDRANT_URL for both."
            ) from error
        _recover(folder)
        folder.mkdir(exist_ok=True)
        yield


def _open(folder: Path, config: edge.EdgeConfig, indexes: dict[str, object]) -> edge.EdgeShard:
    if any(folder.iterdir()):
        try:
            return edge.EdgeShard.load(str(folder), config)
        except Exception as error:  # The engine raises nothing more precise.
            raise SettingsError(
                f"{folder} does not fit EMBEDDING_MODEL, or is damaged ({error}). Put the former model back, "
                "or move the folder away and run `pandora reindex`."
            ) from error
    shard = edge.EdgeShard.create(str(folder), config)
    for field, schema in indexes.items():
        shard.update(edge.UpdateOperation.create_field_index(field, schema))  # type: ignore[arg-type]
    return shard


def _recover(folder: Path) -> None:
    """A rewriting that was cut off: what it began is removed, what it moved away comes back."""
    former = folder.with_name(f"{folder.name}{_FORMER}")
    if former.exists() and not folder.exists():
        former.rename(folder)
    for left in (former, folder.with_name(f"{folder.name}{_COPY}")):
        shutil.rmtree(left, ignore_errors=True)


def _copy(shard: edge.EdgeShard, folder: Path, copy: Path) -> None:
    shard.flush()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)


async def _rewritten(copy: Path, without_removed: bool) -> bool:
    arguments = [str(copy), *([WITHOUT_REMOVED] if without_removed else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.indexer.adapters.edge_rewriting", *arguments
    )
    try:
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status:
        log.warning("Qdrant's engine did not optimize %s (status %d)", copy, status)
    return status == 0


def _close(shard: edge.EdgeShard) -> None:
    shard.flush()
    shard.close()
