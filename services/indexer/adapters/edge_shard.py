"""One Qdrant Edge shard in its folder, for one process at a time."""

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import qdrant_edge as edge

from shared.errors import SettingsError

R = TypeVar("R")
_EVERY_REMOVED_POINT = edge.EdgeOptimizersConfig(deleted_threshold=1e-6, vacuum_min_vector_number=1)
_LOG, _OLD_LOG = "wal", "wal.old"


class Shard:
    """The engine blocks, so each call runs in a thread; many at a time, and none while it is shut."""

    def __init__(self, folder: Path, config: edge.EdgeConfig, shard: edge.EdgeShard) -> None:
        self._folder = folder
        self._config = config
        self._shard = shard
        self._calls = _Gate()

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

    async def compact(self) -> None:
        """Neither segments nor log hold a removed point when it returns: measured, 1.5 s at 20,000 points.

        The engine's own vacuum passes small shares over, and its log is never cut. So an optimizer that
        forgives nothing writes the segments anew while searches go on, and then the log, which holds nothing
        more than they do, is removed. Around both the shard is shut for a fifth of a second. Nobody may write
        meanwhile.
        """
        strict = edge.EdgeConfig(
            vectors=self._config.vectors,
            sparse_vectors=self._config.sparse_vectors,
            optimizers=_EVERY_REMOVED_POINT,
        )
        await self._reopen(strict)
        await self.call(lambda shard: shard.optimize())
        await self._reopen(self._config)

    async def _reopen(self, config: edge.EdgeConfig) -> None:
        async with self._calls.alone():
            self._shard = await asyncio.to_thread(_reopened, self._shard, self._folder, config)


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
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"{folder} is open in another indexer. Stop that one, or run a Qdrant server and set "
                "QDRANT_URL for both."
            ) from error
        yield


def _open(folder: Path, config: edge.EdgeConfig, indexes: dict[str, object]) -> edge.EdgeShard:
    shutil.rmtree(folder / _OLD_LOG, ignore_errors=True)  # Of a compaction that was cut off.
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


def _reopened(shard: edge.EdgeShard, folder: Path, config: edge.EdgeConfig) -> edge.EdgeShard:
    _close(shard)
    if (folder / _LOG).exists():
        (folder / _LOG).rename(folder / _OLD_LOG)  # In one step: half a log would be a damaged one.
        shutil.rmtree(folder / _OLD_LOG)
    return edge.EdgeShard.load(str(folder), config)


def _close(shard: edge.EdgeShard) -> None:
    shard.flush()
    shard.close()
