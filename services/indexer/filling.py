"""Makes points from rows: all of a kind for a new generation, or those that are missing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import Any, Protocol
from uuid import UUID

import msgspec

from services.indexer.generation import Generation, Run
from services.indexer.ports import Vectors
from shared.replies import Kind

Place = list[Any]
"""Where a walk over rows stands, as JSON."""
PAGE_ROWS = 512


class RowKey(msgspec.Struct, frozen=True):
    """One row: its point, where it stands in the walk, and whether its points were written as it is now."""

    point_id: UUID
    place: Place
    indexed: bool = True


class Rows(Protocol):
    """What the points of one kind are made from."""

    async def count(self) -> int: ...

    async def keys(self, after: Place | None, limit: int, *, unindexed: bool = False) -> list[RowKey]:
        """The next rows of a walk over all users; or only those that have no points as they are now."""
        ...

    async def read(self, ids: Sequence[UUID]) -> list[Run]:
        """Their passages, with those that stand beside them."""
        ...

    def held(self, runs: Sequence[Run]) -> AbstractAsyncContextManager[None]:
        """Nobody else here writes points of these until it is left."""
        ...

    async def written(self, ids: Sequence[UUID]) -> None:
        """The live generation has their points."""
        ...

    async def there(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of them that have a row."""
        ...


class _Page(msgspec.Struct, frozen=True):
    keys: Sequence[RowKey]
    """Empty: the end."""
    wanted: Sequence[RowKey]
    live: Generation
    """Whose model has computed the vectors."""
    vectors: Mapping[str, Vectors]


NotePage = Callable[[Sequence[RowKey], int], Awaitable[None]]
"""Called after each page with its keys, and how many of them had to be written."""


async def _note_nothing(keys: Sequence[RowKey], written: int) -> None:
    return None


class Filling:
    """Fills a generation, or the live one and the one beside it, with one kind."""

    def __init__(self, kind: Kind, rows: Rows, generation: Generation, *, is_live: bool) -> None:
        self._kind = kind
        self._rows = rows
        self._generation = generation
        self._is_live = is_live

    async def fill(
        self, after: Place | None = None, note: NotePage = _note_nothing, *, unindexed: bool = False
    ) -> int:
        """Writes whatever has no point there yet; how many rows that were.

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
        """Of their texts as they are now; no writer is kept waiting meanwhile."""
        runs = await self._rows.read(list(ids)) if ids else []
        texts = list({p.text: None for p in chain(*runs) if p.message.point_id in ids})
        return dict(zip(texts, await live.embedder.embed(texts), strict=True))

    async def _write(self, page: _Page) -> None:
        if not page.wanted:
            return
        ids = [key.point_id for key in page.wanted]
        anew = {key.point_id for key in page.wanted if not key.indexed}
        async with self._rows.held(await self._rows.read(ids)):
            # Read again, now that nobody else writes them: a text may have changed since it was embedded.
            runs = await self._rows.read(ids)
            computed = page.vectors if page.live is self._generation.live else None
            await self._generation.write(self._kind, runs, anew=anew, missing=set(ids), computed=computed)
            if self._is_live:
                await self._rows.written(ids)
        if gone := set(ids) - await self._rows.there(ids):  # Forgotten while they were written.
            await self._generation.indexes[self._kind].drop(sorted(gone))
