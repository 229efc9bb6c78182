"""Answers a search: reads the question, asks the index, ranks, and reads the rows."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import msgspec

from services.indexer.generations.writing import Generation
from services.indexer.messages.tables import MessageTable
from services.indexer.passages.index import Candidate, IndexQuery
from services.indexer.passages.passage import Vectors, part_of
from services.indexer.search.folding import fold
from services.indexer.search.highlights import highlights
from services.indexer.search.hits import Hits
from services.indexer.search.questions import Asked, understand
from services.indexer.search.ranking import Ranked, rank, weights_for
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.requests import Hit, Kind, Search, SearchReply, Signal, checked_limit
from shared.language.stems import Stems
from shared.process import metrics

_CANDIDATES = 50
"""Asked of each of the four lists. More did not find more of the evidence."""
_ROWS_A_HIT = 3
"""Rows read for each hit, since messages that say the same become one hit."""


class Reliability(Protocol):
    """How reliable domains are, 0 to 1."""

    async def scores(self, domains: Collection[str]) -> dict[str, float]: ...


class Searching:
    """Searches the collections of all kinds that are asked for, and ranks their candidates together."""

    def __init__(
        self,
        messages: MessageTable,
        hits: Mapping[Kind, Hits],
        generation: Generation,
        stems: Stems,
        sources: Reliability | None = None,
    ) -> None:
        """Without `sources` all pages are equally reliable."""
        self._messages = messages
        self._hits = hits
        self._generation = generation
        self._stems = stems
        self._sources = sources

    @endpoint
    async def search(self, request: Search) -> SearchReply:
        if not request.highlights:
            return SearchReply(hits=await self.hits(request))
        words = self._stems.content(request.query)
        return SearchReply(
            hits=[
                msgspec.structs.replace(hit, highlights=highlights(hit.text, words, self._stems))
                for hit in await self.hits(request)
            ]
        )

    async def hits(self, request: Search) -> list[Hit]:
        """Best first, without highlights. Raises Refused."""
        limit = checked_limit(request.limit)
        if not request.query.strip():
            raise Refused(422, "query is empty; say what to look for", "query")
        now = datetime.now(UTC)
        asked = understand(request.query, await self._messages.speakers(request.user), now)
        generation = self._generation.live
        vector = await generation.embedder.embed_query(asked.text_for_meaning)
        query = _index_query(request, asked, vector)
        with metrics.timed(metrics.search_seconds):
            candidates = await self._weighed(await self._candidates(generation, query, request.kinds))
            weights = weights_for(generation.embedder.familiarity(asked.text_for_meaning))
            ranked = rank(asked, candidates, now=now, weights=weights, limit=_ROWS_A_HIT * limit)
            by_key = {candidate.key: candidate for candidate in candidates}
            rows = await self._rows(request.user, [by_key[one.key] for one in ranked])
            found = [
                one
                for one in ranked
                if one.key in rows and (request.abandoned or not rows[one.key].abandoned)
            ]
            return fold([_whole(rows[one.key], one, by_key[one.key], request) for one in found], limit)

    async def _candidates(
        self, generation: Generation, query: IndexQuery, kinds: Sequence[Kind]
    ) -> list[Candidate]:
        indexes = [index for kind, index in generation.indexes.items() if kind in kinds]
        found = await asyncio.gather(*(index.search(query) for index in indexes))
        return [candidate for candidates in found for candidate in candidates]

    async def _weighed(self, candidates: list[Candidate]) -> list[Candidate]:
        """Pages with the reliability of their domain, which is in no index: it changes with every page."""
        domains = {one.speaker for one in candidates if one.kind == "research"}
        if not domains or self._sources is None:
            return candidates
        scores = await self._sources.scores(domains)
        return [
            msgspec.structs.replace(one, reliability=scores[one.speaker]) if one.kind == "research" else one
            for one in candidates
        ]

    async def _rows(self, user: str, candidates: Sequence[Candidate]) -> dict[str, Hit]:
        ids: dict[Kind, list[UUID]] = {}
        for candidate in candidates:
            ids.setdefault(candidate.kind, []).append(UUID(candidate.key))
        found = await asyncio.gather(*(self._hits[kind].of(user, own) for kind, own in ids.items()))
        return {str(key): hit for hits in found for key, hit in hits.items()}


def _index_query(request: Search, asked: Asked, vector: Vectors) -> IndexQuery:
    return IndexQuery(
        user=request.user,
        vector=vector,
        words=asked.text_for_words,
        session_id=request.session_id,
        speaker=request.speaker,
        since=request.since,
        until=request.until,
        without_echoes=request.without_echoes,
        limit=max(_CANDIDATES, request.limit),
    )


def _whole(hit: Hit, ranked: Ranked, candidate: Candidate, request: Search) -> Hit:
    if hit.kind == "research":  # A page may be long: the part that was found.
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
