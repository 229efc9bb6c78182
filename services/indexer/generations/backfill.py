"""Makes points from rows: all of a kind for a new generation, or those that are missing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Protocol
from uuid import UUID

import msgspec

from services.indexer.generations.table import Place
from services.indexer.generations.writing import Generation
from services.indexer.passages.passage import Run, Vectors
from shared.contract.requests import Kind

PAGE_ROWS = 512
Lock = Callable[[Sequence[Run]], AbstractAsyncContextManager[None]]
"""Keeps all others from writing points of these passages."""


class RowKey(msgspec.Struct, frozen=True):
    """One row of a walk: the id of its point, its place, and whether it has points as it is now."""

    point_id: UUID
    place: Place
    indexed: bool = True


class Rows(Protocol):
    """The rows that the points of one kind are made from."""

    async def count(self) -> int: ...

    async def keys(self, after: Place | None, limit: int, *, unindexed: bool = False) -> list[RowKey]:
        """The next rows of a walk over all users; or only those that have no points as they are now."""
        ...

    async def read(self, ids: Sequence[UUID]) -> list[Run]:
        """Their passages, with the neighbours."""
        ...

    def lock(self, runs: Sequence[Run]) -> AbstractAsyncContextManager[None]: ...

    async def written(self, ids: Sequence[UUID]) -> None:
        """Notes that the live generation has their points."""
        ...

    async def there(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of them that have a row."""
        ...


class _Page(msgspec.Struct, frozen=True):
    keys: Sequence[RowKey]
    """Empty: the end."""
    wanted: Sequence[RowKey]
    live: Generation
    """The generation whose model has computed the vectors."""
    vectors: Mapping[str, Vectors]


NotePage = Callable[[Sequence[RowKey], int], Awaitable[None]]
"""Called after each page with its keys, and how many of them had to be written."""


async def _note_nothing(keys: Sequence[RowKey], written: int) -> None:
    return None


class Backfill:
    """Fills one kind of a generation; of the live one also what is being built."""

    def __init__(self, kind: Kind, rows: Rows, generation: Generation, *, is_live: bool) -> None:
        self._kind = kind
        self._rows = rows
        self._generation = generation
        self._is_live = is_live

    async def fill(
        self, after: Place | None = None, note: NotePage = _note_nothing, *, unindexed: bool = False
    ) -> int:
        """Writes each row that has no point there yet. Returns how many.

        While one page is written, the next one is embedded: the model never waits.
        """
        total, following = 0, asyncio.create_task(self._next(after, unindexed))
        try:
            while (page := await following).keys:
                following = asyncio.create_task(self._next(page.keys[-1].place, unindexed))
                await self._write(page)
                total += len(page.wanted)
                await note(page.keys, len(page.wanted))
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        return total

    async def missing(self, keys: Sequence[RowKey]) -> list[RowKey]:
        present = await self._generation.indexes[self._kind].present([key.point_id for key in keys])
        return [key for key in keys if not key.indexed or key.point_id not in present]

    async def _next(self, after: Place | None, unindexed: bool) -> _Page:
        keys = await self._rows.keys(after, PAGE_ROWS, unindexed=unindexed)
        live, wanted = self._generation.live, await self.missing(keys)
        return _Page(keys, wanted, live, await self._vectors(live, {key.point_id for key in wanted}))

    async def _vectors(self, live: Generation, ids: Set[UUID]) -> Mapping[str, Vectors]:
        """Of their texts as they are now. Nothing is locked meanwhile."""
        runs = await self._rows.read(list(ids)) if ids else []
        texts = list({p.text: None for p in chain(*runs) if p.message.point_id in ids})
        return dict(zip(texts, await live.embedder.embed(texts), strict=True))

    async def _write(self, page: _Page) -> None:
        if not page.wanted:
            return
        ids = [key.point_id for key in page.wanted]
        anew = {key.point_id for key in page.wanted if not key.indexed}
        async with self._rows.lock(await self._rows.read(ids)):
            # Read again under the lock: a text may have changed since it was embedded.
            runs = await self._rows.read(ids)
            computed = page.vectors if page.live is self._generation.live else None
            await self._generation.write(self._kind, runs, anew=anew, missing=set(ids), computed=computed)
            if self._is_live:
                await self._rows.written(ids)
        if gone := set(ids) - await self._rows.there(ids):  # Forgotten while they were written.
            await self._generation.indexes[self._kind].drop(sorted(gone))
