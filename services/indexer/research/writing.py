"""Stores fetched pages, and removes them: rows and points, in one order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID

from services.indexer.generations.locks import Locks, of_pages
from services.indexer.generations.writing import Generation
from services.indexer.passages.index import Selection
from services.indexer.passages.passage import Run
from services.indexer.research.pages import PageRow, page_passages, point_of, row_of
from services.indexer.research.table import ResearchTable
from shared.contract.events import Event, ForgetRequested, ResearchSaved

_POINTS_AT_ONCE = 500


def utc_now() -> datetime:
    return datetime.now(UTC)


class PageWriter:
    """One writer a user, so no point is written from an older row."""

    def __init__(
        self,
        table: ResearchTable,
        generation: Generation,
        locks: Locks,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._table = table
        self._generation = generation
        self._locks = locks
        self._clock = clock

    async def on_research_saved(self, event: ResearchSaved) -> Sequence[Event]:
        """The same page again changes nothing. Raises Poison where it can never be stored."""
        page = row_of(event)
        async with self.alone(event.user):
            await self._table.add(page)
            # As it is stored: a newer version may have come before.
            stored = await self._table.unindexed(page.point_id, self._clock())
            if stored is not None:
                await self._index(stored)
        return []

    async def _index(self, page: PageRow) -> None:
        point = page.point_id
        # Another text may have had more parts.
        await self._generation.indexes["research"].remove(Selection(user=page.user, messages=[point]))
        await self._generation.write("research", [page_passages(page)], anew={point})
        await self._table.mark_indexed(point)

    async def forget(self, order: ForgetRequested) -> int:
        """Removes the pages in its scope. Returns how many."""
        async with self.alone(order.user):
            points = await self._table.remove(order)
            await self.drop(points)
        return len(points)

    async def forget_page(self, user: str, research_id: str) -> None:
        async with self.alone(user):
            point = point_of(user, research_id)
            await self._table.delete([point])
            await self.drop([point])

    async def drop(self, points: Sequence[UUID]) -> None:
        for begin in range(0, len(points), _POINTS_AT_ONCE):
            await self._generation.indexes["research"].drop(points[begin : begin + _POINTS_AT_ONCE])

    def alone(self, user: str) -> AbstractAsyncContextManager[None]:
        """Taken by all that write pages of this user."""
        return self._locks.hold([of_pages(user)])

    def lock(self, runs: Sequence[Run]) -> AbstractAsyncContextManager[None]:
        """Keeps all others from writing points of these pages."""
        return self._locks.hold({of_pages(passage.message.user) for passage in chain(*runs)})
