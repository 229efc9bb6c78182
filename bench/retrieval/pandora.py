"""Pandora's own way of searching: the shipped embedder, index and fusion, over a folder of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy

from bench.retrieval.sets import Document, Query
from services.indexer.adapters.qdrant_edge import EdgeTurnIndex
from services.indexer.adapters.sentence_transformers import SentenceTransformerEmbedder
from services.indexer.domain.fusion import fuse
from services.indexer.domain.passages import Passage, embedding_id
from services.indexer.handlers import _CANDIDATES
from services.indexer.ports import Embedder, TurnIndex, Vectors
from services.indexer.settings import IndexerSettings
from shared.settings import load

_BATCH = 512


class Pandora:
    """What `index.search` ranks, without the rows that it reads from PostgreSQL afterwards."""

    name = "pandora"

    def __init__(self, embedder: Embedder, index: TurnIndex) -> None:
        self._embedder = embedder
        self._index = index

    async def index(self, corpus: Sequence[Document]) -> None:
        for begin in range(0, len(corpus), _BATCH):
            passages = [
                _passage(number, document)
                for number, document in enumerate(corpus[begin : begin + _BATCH], begin + 1)
            ]
            await self._index.upsert(passages, await self._embedder.embed([p.text for p in passages]))

    async def search(self, query: Query, limit: int) -> list[str]:
        candidates = await self._index.search(
            query.metadata.user,
            await self._embedder.embed_query(query.text),
            query.text,
            session_id=None,
            without_echoes=False,
            limit=max(_CANDIDATES, limit),
        )
        return [ranked.turn_id for ranked in fuse(candidates, limit)]


class EmbedsOnce:
    """Embedder that keeps the vectors of stored texts, so that no way of a run computes them anew."""

    def __init__(self, embedder: Embedder) -> None:
        self.dimension = embedder.dimension
        self._embedder = embedder
        self._kept: dict[str, Vectors] = {}

    async def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            self._kept.update(zip(new, await self._embedder.embed(new), strict=True))
        return numpy.stack([self._kept[text] for text in texts])

    async def embed_query(self, text: str) -> Vectors:
        return await self._embedder.embed_query(text)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Embedder, TurnIndex]]:
    """The embedder as the settings have it, but without its cache of questions, and an empty index."""
    settings = load(IndexerSettings)
    async with (
        SentenceTransformerEmbedder.load(
            settings.embedding_model,
            dtype=settings.embedding_dtype,
            threads=settings.embedding_threads,
            batch_texts=settings.embedding_batch_texts,
            cache_entries=0,
        ) as embedder,
        EdgeTurnIndex.open(folder / "turns", embedder.dimension) as index,
    ):
        yield EmbedsOnce(embedder), index


def _passage(number: int, document: Document) -> Passage:
    said = document.metadata
    return Passage(
        id=embedding_id(document.id),
        turn_id=document.id,
        turn_number=number,
        user=said.user,
        session_id=said.session_id,
        topic="",
        intent="statement",
        timestamp=said.at or "1970-01-01T00:00:00Z",
        quality=1.0,
        is_echo=False,
        text=document.searched_text,
    )
