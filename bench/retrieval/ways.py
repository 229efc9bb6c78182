"""Ways of searching that are held against each other: the simple ones. Pandora's own is in `pandora.py`."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log
from typing import Protocol

import numpy

from bench.retrieval.sets import Document, Query
from services.indexer.embedding.embedder import Embedder
from services.indexer.passages.passage import Vectors
from services.indexer.qdrant import bm25

DEPTH = 50
"""What a fusion asks of each of the ways that it joins."""


class Way(Protocol):
    """One way of searching. A name that stays, since results are stored under it."""

    name: str

    async def index(self, corpus: Sequence[Document]) -> None:
        """Called once, before all searches."""
        ...

    async def search(self, query: Query, limit: int) -> list[str]:
        """Ids of at most `limit` documents of the query's user, best first."""
        ...


class Dense:
    """Cosine of the query's vector and each document's, over all documents of the user."""

    name = "dense"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._ids: dict[str, list[str]] = defaultdict(list)
        self._vectors: dict[str, Vectors] = {}

    async def index(self, corpus: Sequence[Document]) -> None:
        vectors = await self._embedder.embed([document.searched_text for document in corpus])
        rows: dict[str, list[int]] = defaultdict(list)
        for row, document in enumerate(corpus):
            rows[document.metadata.user].append(row)
            self._ids[document.metadata.user].append(document.id)
        self._vectors = {user: vectors[own] for user, own in rows.items()}

    async def search(self, query: Query, limit: int) -> list[str]:
        vector = await self._embedder.embed_query(query.text)
        user = query.metadata.user
        if user not in self._vectors:
            return []
        order = numpy.argsort(-(self._vectors[user] @ vector), kind="stable")
        return [self._ids[user][row] for row in order[:limit]]


class Bm25:
    """The weights that the indexer stores, times Qdrant's inverse document frequency among the user's own."""

    name = "bm25"

    def __init__(self) -> None:
        self._postings: dict[tuple[str, int], list[tuple[str, float]]] = defaultdict(list)
        self._documents: Counter[str] = Counter()

    async def index(self, corpus: Sequence[Document]) -> None:
        for document in corpus:
            user = document.metadata.user
            self._documents[user] += 1
            weights = bm25.document_weights(document.searched_text)
            for term, weight in zip(weights.indices, weights.values, strict=True):
                self._postings[user, term].append((document.id, weight))

    async def search(self, query: Query, limit: int) -> list[str]:
        scores: dict[str, float] = defaultdict(float)
        asked, user = bm25.query_weights(query.text), query.metadata.user
        for term, weight in zip(asked.indices, asked.values, strict=True):
            postings = self._postings.get((user, term), [])
            rarity = log(1 + (self._documents[user] - len(postings) + 0.5) / (len(postings) + 0.5))
            for document, own in postings:
                scores[document] += weight * own * rarity
        return sorted(scores, key=lambda document: (-scores[document], document))[:limit]


class ReciprocalRanks:
    """The sum of 1 / (k + rank) over the ways that it joins (Cormack, Clarke and Buettcher, 2009)."""

    def __init__(self, *ways: Way, k: int = 60) -> None:
        self.name = f"rrf_{k}"
        self._ways = ways
        self._k = k

    async def index(self, corpus: Sequence[Document]) -> None:
        for way in self._ways:
            await way.index(corpus)

    async def search(self, query: Query, limit: int) -> list[str]:
        scores: dict[str, float] = defaultdict(float)
        for way in self._ways:
            for rank, document in enumerate(await way.search(query, max(DEPTH, limit)), 1):
                scores[document] += 1 / (self._k + rank)
        return sorted(scores, key=lambda document: (-scores[document], document))[:limit]
