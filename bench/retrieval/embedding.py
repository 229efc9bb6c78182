"""The shipped embedder, for a bench: no text is embedded twice in one run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy

from services.indexer.adapters.sentence_transformers import SentenceTransformerEmbedder
from services.indexer.ports import Embedder, Vectors
from services.indexer.settings import IndexerSettings
from shared.settings import load


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

    def forget_queries(self) -> None:
        self._embedder.forget_queries()


@asynccontextmanager
async def opened_embedder() -> AsyncIterator[EmbedsOnce]:
    """As the settings have it, but without its cache of questions."""
    settings = load(IndexerSettings)
    async with SentenceTransformerEmbedder.load(
        settings.embedding_model,
        dtype=settings.embedding_dtype,
        threads=settings.embedding_threads,
        batch_texts=settings.embedding_batch_texts,
        cache_entries=0,
    ) as embedder:
        yield EmbedsOnce(embedder)
