"""Answers which pages are known: fresh ones about a query, all of a user, or one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.indexer.generations.writing import Generation
from services.indexer.passages.index import IndexQuery
from services.indexer.research.pages import PageRow, hit_of, page_of, point_of
from services.indexer.research.sources import Sources
from services.indexer.research.table import ResearchTable
from services.indexer.research.writing import utc_now
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.requests import (
    FreshResearch,
    FreshResearchReply,
    GetPage,
    Hit,
    ListResearch,
    ListResearchReply,
    Page,
    PageReply,
)

_MOST_PAGES = 20
_ANSWER_CHARACTERS = 128 * 1024
"""Of texts in one answer. JSON may need six bytes for each, and a NATS message has room for 1 MB."""
_ALIKE = 50
"""Asked of each list of the index."""


class PageReader:
    """Reads pages, and hits for the search."""

    def __init__(
        self,
        table: ResearchTable,
        sources: Sources,
        generation: Generation,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._table = table
        self._sources = sources
        self._generation = generation
        self._clock = clock

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        """Hits of those points whose pages have not expired."""
        rows = await self._table.at_points(user, ids, self._clock())
        return {point: hit_of(row) for point, row in rows.items()}

    @endpoint
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
        return FreshResearchReply(pages=await self._shown(best, scores))

    @endpoint
    async def list_pages(self, request: ListResearch) -> ListResearchReply:
        rows = await self._table.of_user(request.user, request.after, limit=_MOST_PAGES + 1)
        pages = await self._shown(rows[:_MOST_PAGES], {})
        return ListResearchReply(pages=pages, more=len(rows) > len(pages))

    @endpoint
    async def get_page(self, request: GetPage) -> PageReply:
        row = await self._table.at_point(point_of(request.user, request.research_id))
        if row is None:
            raise Refused(404, f"there is no page {request.research_id}", "research_id")
        return PageReply(page=(await self._shown([row], {}))[0])

    async def _alike(self, user: str, query: str, least: float) -> dict[UUID, float]:
        """Pages that mean the same, by the best of their parts."""
        generation = self._generation.live
        vector = await generation.embedder.embed_query(query)
        asked = IndexQuery(user=user, vector=vector, words=query, limit=_ALIKE)
        found = await generation.indexes["research"].search(asked)
        return {
            UUID(one.key): one.meaning for one in found if one.meaning is not None and one.meaning >= least
        }

    async def _shown(self, pages: Sequence[PageRow], scores: Mapping[UUID, float]) -> list[Page]:
        """As many as there is room for, and one at least."""
        reliability = await self._sources.scores({page.domain for page in pages})
        shown: list[Page] = []
        room = _ANSWER_CHARACTERS
        for page in pages:
            room -= len(page.text)
            if shown and room < 0:
                break
            score = min(1.0, max(0.0, scores.get(page.point_id, 0.0)))
            shown.append(page_of(page, similarity=score, reliability=reliability[page.domain]))
        return shown


def _order(page: PageRow, score: float) -> tuple[float, float, float, str]:
    """Best first: by likeness, then quality, then age."""
    return -score, -page.quality_overall, -page.fetched_at.timestamp(), page.research_id
