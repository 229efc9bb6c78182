"""Search among 50,000 turns.

Texts are sentences, so that BM25 is real; vectors are random unit vectors, since embedding 50,000 texts takes
minutes. That is no favour: random vectors have no near neighbours, the hardest case for a graph of them.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy

from bench.embedder import EmbedderAlone
from bench.figures import Figure, percentile, plain, shown
from bench.indexed import saved_turns
from bench.parts import Installation
from bench.sentences import sentences
from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import PostgresTurnTable
from services.indexer.adapters.qdrant_edge import EdgeTurnIndex
from services.indexer.domain.passages import passage_of
from services.indexer.handlers import Indexer
from services.indexer.ports import Vectors
from shared.bus import Bus
from shared.events import LOCAL_USER
from shared.replies import Search
from shared.streams import declare_streams

TURNS = 50_000
DIMENSION = 384
GOAL_MS = 20.0
_BATCH = 1_000


class KnownVectors:
    """Embedder whose vectors are there already, as those of a cached query are."""

    dimension = DIMENSION

    def __init__(self, seed: int) -> None:
        self._random = numpy.random.default_rng(seed)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = self._random.standard_normal((len(texts), DIMENSION), dtype=numpy.float32)
        unit: Vectors = vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    async def embed_query(self, text: str) -> Vectors:
        vector: Vectors = (await self.embed([text]))[0]
        return vector


async def measure(folder: Path, quick: bool) -> list[Figure]:
    turns, searches = (2_000, 50) if quick else (TURNS, 400)
    installation = Installation(folder)
    async with installation.running("nats", "postgres"):
        without = await _filled_and_searched(installation, turns, searches)
        whole, embedding = await _over_the_bus(installation, searches)
    return [
        plain("search.without_embedding_p50", 1000 * median(without), "ms"),
        plain("search.without_embedding_p99", 1000 * percentile(without, 0.99), "ms"),
        plain(
            "search.p50",
            1000 * median(whole),
            "ms",
            against=f"embedding alone {shown(1000 * median(embedding))} ms",
        ),
        plain(
            "search.p99",
            1000 * percentile(whole, 0.99),
            "ms",
            goal=GOAL_MS,
            against=f"embedding alone {shown(1000 * percentile(embedding, 0.99))} ms",
        ),
    ]


async def _filled_and_searched(installation: Installation, turns: int, searches: int) -> list[float]:
    """Fills rows and points as the indexer does, then searches in this process. Seconds of each search."""
    settings = installation.settings.indexer
    await migrate(settings.dsn)
    embedder = KnownVectors(seed=6)
    async with AsyncExitStack() as stack:
        table = await stack.enter_async_context(
            PostgresTurnTable.connect(settings.dsn, connections=8, timeout=60)
        )
        index = await stack.enter_async_context(
            EdgeTurnIndex.open(settings.pandora_data_dir / "qdrant" / "turns", DIMENSION)
        )
        saved = saved_turns(seed=7)
        for _ in range(0, turns, _BATCH):
            events = list(islice(saved, _BATCH))
            passages = [passage_of(event) for event in events]
            vectors = await embedder.embed([passage.text for passage in passages])
            await asyncio.gather(index.upsert(passages, vectors), table.upsert(events))
        await asyncio.to_thread(index._shard.optimize)
        indexer = Indexer(table, index, embedder)
        return [await _timed_search(indexer, query) for query in islice(sentences(seed=8), searches)]


async def _timed_search(indexer: Indexer, query: str) -> float:
    start = perf_counter()
    found = await indexer.search(Search(user=LOCAL_USER, query=query))
    assert found.hits
    return perf_counter() - start


async def _over_the_bus(installation: Installation, searches: int) -> tuple[list[float], list[float]]:
    """The real indexer over the same data: seconds of each search, and of each question's embedding alone."""
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(EmbedderAlone.started())
        bus = await stack.enter_async_context(
            Bus.connect(
                "bench", installation.settings.local.model_copy(update={"request_timeout_seconds": 30.0})
            )
        )
        await declare_streams(bus.jetstream, first_turn_number=1)
        await stack.enter_async_context(installation.running("indexer"))
        queries = sentences(seed=9)
        for query in islice(queries, 20):
            await bus.ask(Search(user=LOCAL_USER, query=query))
        whole, embedding = [], []
        for query in islice(queries, searches):
            start = perf_counter()
            found = await bus.ask(Search(user=LOCAL_USER, query=query))
            whole.append(perf_counter() - start)
            assert found.hits
            embedding += await alone.seconds([query], batch=1)
        return whole, embedding
