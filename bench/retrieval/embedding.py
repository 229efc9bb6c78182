"""The shipped embedder, for a bench: no text is embedded twice in one run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy

from services.indexer.app.embedding import opened_embedder
from services.indexer.embedding.embedder import Embedder
from services.indexer.passages.passage import Vectors
from services.indexer.settings import IndexerSettings
from shared.process.settings import load


class EmbedsOnce:
    """Embedder that keeps the vectors of stored texts, so that no way of a run computes them anew."""

    def __init__(self, embedder: Embedder) -> None:
        self.dimension = embedder.dimension
        self.engine = embedder.engine
        self._embedder = embedder
        self._kept: dict[str, Vectors] = {}

    async def embed(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            self._kept.update(zip(new, await self._embedder.embed(new), strict=True))
        return numpy.stack([self._kept[text] for text in texts])

    async def embed_query(self, text: str) -> Vectors:
        return await self._embedder.embed_query(text)

    def familiarity(self, text: str) -> float:
        return self._embedder.familiarity(text)

    def count_tokens(self, texts: Sequence[str]) -> int:
        return self._embedder.count_tokens(texts)

    def forget_queries(self) -> None:
        self._embedder.forget_queries()


@asynccontextmanager
async def opened_bench_embedder() -> AsyncIterator[EmbedsOnce]:
    """As the settings have it, but without its cache of questions."""
    settings = load(IndexerSettings).model_copy(update={"query_cache_entries": 0})
    async with opened_embedder(settings, settings.embedding_model) as embedder:
        yield EmbedsOnce(embedder)
