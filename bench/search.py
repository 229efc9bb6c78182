"""Search among 50,000 messages: the questions and answers of 25,000 turns.

Texts are sentences, so that BM25 is real; vectors are random unit vectors, since embedding 50,000 texts takes
minutes. That is no favour: random vectors have no near neighbours, the hardest case for a graph of them.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
from services.indexer.adapters.collections import NAMES, EdgeCollections
from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_generations import PostgresGenerations
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.adapters.qdrant_edge import EdgePassageIndex
from services.indexer.generation import Generation
from services.indexer.generations import Opened
from services.indexer.handlers import Indexer
from services.indexer.hits import MessageHits
from services.indexer.ports import Vectors
from services.indexer.reindexing import Wanted, open_live
from services.indexer.remembering import Remembering
from services.indexer.searching import Searching
from services.indexer.settings import IndexerSettings
from shared.bus import Bus
from shared.events import LOCAL_USER
from shared.replies import Search
from shared.streams import declare_streams

MESSAGES = 50_000
_OF_A_TURN = 2
DIMENSION = 384
GOAL_MS = 20.0
_BATCH_TURNS = 500


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

    def forget_queries(self) -> None:
        """It keeps none."""


async def measure(folder: Path, quick: bool) -> list[Figure]:
    messages, searches = (2_000, 50) if quick else (MESSAGES, 400)
    installation = Installation(folder)
    async with installation.running("nats", "postgres"):
        without = await _filled_and_searched(installation, messages, searches)
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


async def _filled_and_searched(installation: Installation, messages: int, searches: int) -> list[float]:
    """Fills rows and points as the indexer does, then searches in this process. Seconds of each search."""
    settings = installation.settings.indexer
    await migrate(settings.dsn)
    async with (
        Database.connect(settings.dsn, connections=8, timeout=60) as database,
        _generation(settings, database) as generation,
    ):
        turns, table = PostgresTurnTable(database), PostgresMessageTable(database)
        indexer = Indexer(turns, table, Remembering(table, generation), generation)
        saved = saved_turns(seed=7)
        for _ in range(0, messages // _OF_A_TURN, _BATCH_TURNS):
            await indexer.on_turns_saved(list(islice(saved, _BATCH_TURNS)))
        index = generation.indexes["turn"]
        assert isinstance(index, EdgePassageIndex)
        await index._shard.call(lambda shard: shard.optimize())
        searching = Searching(table, {"turn": MessageHits(table, turns)}, generation)
        return [await _timed_search(searching, query) for query in islice(sentences(seed=8), searches)]


@asynccontextmanager
async def _generation(settings: IndexerSettings, database: Database) -> AsyncIterator[Generation]:
    """The one that the indexer will find, but for its model."""
    collections = EdgeCollections(settings.pandora_data_dir / "qdrant")
    wanted = Wanted(model=settings.embedding_model, name=settings.generation, kinds=list(NAMES))
    async with Opened.nothing(collections, _known_vectors) as opened:
        _, generations = await open_live(PostgresGenerations(database), opened, wanted)
        yield generations.live


@asynccontextmanager
async def _known_vectors(model: str) -> AsyncIterator[KnownVectors]:
    yield KnownVectors(seed=6)


async def _timed_search(searching: Searching, query: str) -> float:
    start = perf_counter()
    found = await searching.search(Search(user=LOCAL_USER, query=query))
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
