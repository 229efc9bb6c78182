"""Keeps pages that were fetched: takes them in, tells what is fresh, lets go of what has expired."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from services.indexer.domain.pages import PageRow, hit_of, page_of, page_passages, point_of, row_of
from services.indexer.generation import Generation, Run
from services.indexer.ports import IndexQuery, Selection
from services.indexer.sources import Sources
from shared import metrics
from shared.endpoints import Endpoint
from shared.errors import Refused, Transient
from shared.events import Event, ForgetRequested, ResearchSaved
from shared.replies import (
    FreshResearch,
    FreshResearchReply,
    GetPage,
    Hit,
    ListResearch,
    ListResearchReply,
    Page,
    PageReply,
)

log = logging.getLogger(__name__)
_MOST_PAGES = 20
_ANSWER_CHARACTERS = 128 * 1024
"""Of texts in one answer; JSON may spend six bytes on each, and a NATS message holds 1 MB."""
_ALIKE = 50
"""Asked of each list of the index."""
_KEPT_EXPIRED = timedelta(days=30)
_AT_ONCE = 500
_SWEEPS_AT_ONCE = 20


class ResearchTable(Protocol):
    """The rows of pages. Whatever is found has not expired, and is the latest of its address."""

    async def add(self, row: PageRow) -> None:
        """Writes it, unless a page of the same id that was fetched at that time or later is there."""
        ...

    async def unindexed(self, point_id: UUID, now: datetime) -> PageRow | None: ...

    async def mark_indexed(self, point_id: UUID) -> None: ...

    async def at_points(self, user: str, points: Sequence[UUID], now: datetime) -> dict[UUID, PageRow]: ...

    async def of_address(self, user: str, url: str, now: datetime) -> list[PageRow]: ...

    async def of_topic(self, user: str, topic: str, now: datetime, *, limit: int) -> list[PageRow]: ...

    async def of_user(self, user: str, after: str, *, limit: int) -> list[PageRow]:
        """All of them, expired ones too, by id."""
        ...

    async def at_point(self, point_id: UUID) -> PageRow | None:
        """Whether it has expired or not."""
        ...

    async def remove(self, order: ForgetRequested) -> list[UUID]: ...

    async def delete(self, points: Sequence[UUID]) -> None: ...

    async def expired(self, now: datetime, *, limit: int) -> list[UUID]:
        """Points of pages that have expired and are still in the index."""
        ...

    async def note_removed(self, points: Sequence[UUID], now: datetime) -> None:
        """The index does not have those of them that have expired."""
        ...

    async def expired_for(self, time: timedelta, now: datetime, *, limit: int) -> list[UUID]: ...


def _now() -> datetime:
    return datetime.now(UTC)


class Research:
    """Pages, as long as they hold."""

    def __init__(
        self,
        table: ResearchTable,
        sources: Sources,
        generation: Generation,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._table = table
        self._sources = sources
        self._generation = generation
        self._clock = clock
        # One after another, so that no point is written as its row was before.
        self._writing = asyncio.Lock()

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(FreshResearch, lambda request, send: self.fresh(request)),
            Endpoint(ListResearch, lambda request, send: self.list_pages(request)),
            Endpoint(GetPage, lambda request, send: self.get_page(request)),
        ]

    # --- taking in ---

    async def on_research_saved(self, event: ResearchSaved) -> Sequence[Event]:
        """The same page again changes nothing. Raises Poison where it can never be stored."""
        page = row_of(event)
        async with self._writing:
            await self._table.add(page)
            # As it is stored: another version of it may have come before.
            stored = await self._table.unindexed(page.point_id, self._clock())
            if stored is not None:
                await self._index(stored)
        return []

    async def _index(self, page: PageRow) -> None:
        point = page.point_id
        # Those of another text, which may have had more parts.
        await self._generation.indexes["research"].remove(Selection(user=page.user, messages=[point]))
        await self._generation.write("research", [page_passages(page)], anew={point})
        await self._table.mark_indexed(point)

    async def forget(self, order: ForgetRequested) -> int:
        """Removes what is in its scope; how many pages that were."""
        async with self._writing:
            points = await self._table.remove(order)
            await self._drop(points)
        return len(points)

    async def forget_page(self, user: str, research_id: str) -> None:
        async with self._writing:
            point = point_of(user, research_id)
            await self._table.delete([point])
            await self._drop([point])

    async def _drop(self, points: Sequence[UUID]) -> None:
        for begin in range(0, len(points), _AT_ONCE):
            await self._generation.indexes["research"].drop(points[begin : begin + _AT_ONCE])

    @asynccontextmanager
    async def held(self, runs: Sequence[Run]) -> AsyncIterator[None]:
        """Nobody else here writes points of pages."""
        async with self._writing:
            yield

    # --- letting go ---

    async def run_sweeps(self, every_seconds: float) -> None:
        """As long as the process lives."""
        while True:
            try:
                await self.sweep()
            except Transient as error:
                log.info("expired pages are removed later: %s", error)
            except Exception:
                metrics.errors.labels("research").inc()
                log.exception("expired pages were not removed; it is tried again")
            await asyncio.sleep(every_seconds)

    async def sweep(self) -> None:
        """Points of what has expired, so that they take no place in searches; rows a month later.

        It removes some ten thousand of either at most, and the others the next time.
        """
        for _ in range(_SWEEPS_AT_ONCE):
            async with self._writing:
                now = self._clock()
                if not (points := await self._table.expired(now, limit=_AT_ONCE)):
                    break
                await self._drop(points)
                await self._table.note_removed(points, now)
        for _ in range(_SWEEPS_AT_ONCE):
            async with self._writing:
                points = await self._table.expired_for(_KEPT_EXPIRED, self._clock(), limit=_AT_ONCE)
                if not points:
                    break
                await self._drop(points)
                await self._table.delete(points)

    # --- answering ---

    async def fresh(self, request: FreshResearch) -> FreshResearchReply:
        if not 1 <= request.limit <= _MOST_PAGES:
            raise Refused(422, f"limit is {request.limit}; it must be between 1 and {_MOST_PAGES}", "limit")
        query, now = request.query.strip(), self._clock()
        if bool(query) == bool(request.url):
            raise Refused(422, "say either what is looked for (query) or which address (url)", "query")
        if request.url is not None:
            same = await self._table.of_address(request.user, request.url, now)
            alike: Mapping[UUID, float] = {}
        else:
            same = await self._table.of_topic(request.user, query, now, limit=request.limit)
            alike = await self._alike(request.user, query, request.least_similarity)
        others = await self._table.at_points(request.user, list(alike), now) if alike else {}
        rows = {page.point_id: page for page in [*others.values(), *same]}
        scores = {**alike, **{page.point_id: 1.0 for page in same}}
        best = sorted(rows.values(), key=lambda page: _order(page, scores[page.point_id]))[: request.limit]
        return FreshResearchReply(pages=await self._told(best, scores))

    async def list_pages(self, request: ListResearch) -> ListResearchReply:
        rows = await self._table.of_user(request.user, request.after, limit=_MOST_PAGES + 1)
        pages = await self._told(rows[:_MOST_PAGES], {})
        return ListResearchReply(pages=pages, more=len(rows) > len(pages))

    async def get_page(self, request: GetPage) -> PageReply:
        row = await self._table.at_point(point_of(request.user, request.research_id))
        if row is None:
            raise Refused(404, f"there is no page {request.research_id}", "research_id")
        return PageReply(page=(await self._told([row], {}))[0])

    async def _alike(self, user: str, query: str, least: float) -> dict[UUID, float]:
        """Pages that mean the same, by the best of their parts."""
        generation = self._generation.live
        vector = await generation.embedder.embed_query(query)
        asked = IndexQuery(user=user, vector=vector, words=query, limit=_ALIKE)
        found = await generation.indexes["research"].search(asked)
        return {
            UUID(one.key): one.meaning for one in found if one.meaning is not None and one.meaning >= least
        }

    async def _told(self, pages: Sequence[PageRow], scores: Mapping[UUID, float]) -> list[Page]:
        """As many as there is room for, and one at least."""
        reliability = await self._sources.scores({page.domain for page in pages})
        told: list[Page] = []
        room = _ANSWER_CHARACTERS
        for page in pages:
            room -= len(page.text)
            if told and room < 0:
                break
            score = min(1.0, max(0.0, scores.get(page.point_id, 0.0)))
            told.append(page_of(page, similarity=score, reliability=reliability[page.domain]))
        return told

    # --- being found ---

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        """Hits, for the search: those of these points that have not expired."""
        rows = await self._table.at_points(user, ids, self._clock())
        return {point: hit_of(row) for point, row in rows.items()}


def _order(page: PageRow, score: float) -> tuple[float, float, float, str]:
    """Best first: the likest, the better, the newer."""
    return -score, -page.quality_overall, -page.fetched_at.timestamp(), page.research_id
