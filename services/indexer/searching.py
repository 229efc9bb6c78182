"""Answers what memory holds about a query."""

import asyncio
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import msgspec

from services.indexer.domain.asked import understand
from services.indexer.domain.folding import fold
from services.indexer.domain.highlights import highlights, stems
from services.indexer.domain.passages import part_of
from services.indexer.domain.ranking import Candidate, Ranked, rank
from services.indexer.generation import Generation
from services.indexer.hits import Hits
from services.indexer.ports import IndexQuery, MessageTable
from shared import metrics
from shared.errors import Refused
from shared.replies import Hit, Kind, Search, SearchReply, Signal

MOST_HITS = 100
_CANDIDATES = 50
"""Asked of each of the four lists; more did not find more of the evidence."""
_ROWS_A_HIT = 3
"""Read ahead, since messages that say the same become one hit."""


class Reliability(Protocol):
    """How far domains can be relied on."""

    async def scores(self, domains: Collection[str]) -> dict[str, float]: ...


class Searching:
    """Asks every collection in question, ranks what they found together, and fills in the rows."""

    def __init__(
        self,
        messages: MessageTable,
        hits: Mapping[Kind, Hits],
        generation: Generation,
        sources: Reliability | None = None,
    ) -> None:
        """Without `sources` every page is as reliable as the next."""
        self._messages = messages
        self._hits = hits
        self._generation = generation
        self._sources = sources

    async def search(self, request: Search) -> SearchReply:
        limit = checked_limit(request.limit)
        if not request.query.strip():
            raise Refused(422, "query is empty; say what to look for", "query")
        now = datetime.now(UTC)
        asked = understand(request.query, await self._messages.speakers(request.user), now)
        generation = self._generation.live
        vector = await generation.embedder.embed_query(asked.text_for_meaning)
        query = IndexQuery(
            user=request.user,
            vector=vector,
            words=asked.text_for_words,
            session_id=request.session_id,
            speaker=request.speaker,
            since=request.since,
            until=request.until,
            without_echoes=request.without_echoes,
            limit=max(_CANDIDATES, limit),
        )
        with metrics.timed(metrics.search_seconds):
            candidates = await self._weighed(await self._candidates(generation, query, request.kinds))
            ranked = rank(asked, candidates, now=now, limit=_ROWS_A_HIT * limit)
            by_key = {candidate.key: candidate for candidate in candidates}
            rows = await self._rows(request.user, [by_key[one.key] for one in ranked])
            hits = [_whole(rows[one.key], one, by_key[one.key], request) for one in ranked if one.key in rows]
        words = stems(request.query)
        return SearchReply(hits=[_highlighted(hit, words) for hit in fold(hits, limit)])

    async def _candidates(
        self, generation: Generation, query: IndexQuery, kinds: Sequence[Kind]
    ) -> list[Candidate]:
        indexes = [index for kind, index in generation.indexes.items() if kind in kinds]
        found = await asyncio.gather(*(index.search(query) for index in indexes))
        return [candidate for candidates in found for candidate in candidates]

    async def _weighed(self, candidates: list[Candidate]) -> list[Candidate]:
        """Pages with the reliability of their domain, which changes with every page that is fetched."""
        domains = {one.speaker for one in candidates if one.kind == "research"}
        if not domains or self._sources is None:
            return candidates
        scores = await self._sources.scores(domains)
        return [
            msgspec.structs.replace(one, reliability=scores[one.speaker]) if one.kind == "research" else one
            for one in candidates
        ]

    async def _rows(self, user: str, candidates: Sequence[Candidate]) -> dict[str, Hit]:
        rows: dict[str, Hit] = {}
        for kind, hits in self._hits.items():
            ids = [UUID(candidate.key) for candidate in candidates if candidate.kind == kind]
            found = await hits.of(user, ids) if ids else {}
            rows |= {str(key): hit for key, hit in found.items()}
        return rows


def _whole(hit: Hit, ranked: Ranked, candidate: Candidate, request: Search) -> Hit:
    if hit.kind == "research":  # Of a page, which may be long, the part that was found.
        part = part_of(hit.text, candidate.part)
        hit = msgspec.structs.replace(hit, text=part, input=part)
    return msgspec.structs.replace(
        hit,
        score=round(ranked.score, 6),
        similarity=round(max(candidate.meaning or 0.0, candidate.meaning_near or 0.0), 6),
        words=round(max(candidate.words or 0.0, candidate.words_near or 0.0), 6),
        explain=_rounded(ranked.explain) if request.explain else None,
    )


def _rounded(explain: Mapping[str, Signal]) -> dict[str, Signal]:
    return {name: Signal(round(signal.value, 6), signal.weight) for name, signal in explain.items()}


def _highlighted(hit: Hit, words: Set[str]) -> Hit:
    return msgspec.structs.replace(hit, highlights=highlights(hit.text, words))


def checked_limit(limit: int) -> int:
    if not 1 <= limit <= MOST_HITS:
        raise Refused(422, f"limit is {limit}; it must be between 1 and {MOST_HITS}", "limit")
    return limit
