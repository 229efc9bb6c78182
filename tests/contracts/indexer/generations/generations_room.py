"""An indexer that starts and ends over a real PostgreSQL and a real Qdrant Edge.

Only the models are others: each knows the words below, in an order of its own.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy

from services.indexer.consistency.checking import Checking
from services.indexer.consistency.mending import Mending
from services.indexer.consistency.postgres import PostgresTurnsWithoutMessages
from services.indexer.generations.backfill import Rows
from services.indexer.generations.live import LiveGeneration
from services.indexer.generations.locks import ProcessLocks
from services.indexer.generations.open_collections import OpenCollections
from services.indexer.generations.postgres import PostgresGenerations
from services.indexer.generations.reindexing import Pace, Reindexer
from services.indexer.generations.startup import open_live
from services.indexer.generations.table import Wanted
from services.indexer.memories.postgres.memories import PostgresMemoryTable
from services.indexer.memories.postgres.rows import PostgresMemoryRows
from services.indexer.memories.steps import Memories
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.postgres.rows import PostgresMessageRows
from services.indexer.messages.writing import MessageWriter
from services.indexer.passages.index import IndexQuery
from services.indexer.passages.passage import Vectors
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.qdrant.collections import EdgeCollections
from services.indexer.research.postgres.pages import PostgresResearchTable
from services.indexer.research.postgres.rows import PostgresPageRows
from services.indexer.research.postgres.sources import PostgresSources
from services.indexer.research.reading import PageReader
from services.indexer.research.sources import Sources
from services.indexer.research.writing import PageWriter
from services.indexer.search.hits import Hits
from services.indexer.search.postgres import PostgresMessageHits
from services.indexer.search.steps import Searching
from shared.contract.errors import Refused
from shared.contract.requests import (
    Check,
    CheckReply,
    Kind,
    Search,
)
from shared.language.stems import Stems
from shared.process.environment import SettingsError
from tests.unit.samples import AT, message

WORDS = ("bees", "roses", "tax", "lisbon", "honey", "mira", "sun")
KINDS: list[Kind] = ["turn", "memory", "research"]
TEXTS = [f"{WORDS[n % 7]} and {WORDS[n * n % 5]} number {n}" for n in range(60)]
SESSIONS = 4


@dataclass
class Model:
    """Embedder that stops before it has computed more texts than it may."""

    dimension: int
    engine: str = "words"
    computed: list[str] = field(default_factory=list)
    may_compute: int = 1_000_000
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    shift: float = 0.0
    """Of each direction towards the next one: another way to compute the same model."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        while len(self.computed) + len(texts) > self.may_compute:
            self.stopped.set()
            await asyncio.sleep(0.005)
        self.computed += texts
        shape = (0, self.dimension)
        return numpy.stack([self._vector(text) for text in texts]) if texts else numpy.zeros(shape, "f4")

    async def embed_query(self, text: str) -> Vectors:
        return self._vector(text)

    def familiarity(self, text: str) -> float:
        return 1.0

    def count_tokens(self, texts: Sequence[str]) -> int:
        return len(texts)

    def forget_queries(self) -> None:
        """It keeps none."""

    def _vector(self, text: str) -> Vectors:
        counts = [text.lower().count(word) for word in WORDS]
        vector = numpy.zeros(self.dimension, numpy.float32)
        vector[: len(WORDS)] = counts if self.dimension % 2 == 0 else counts[::-1]
        vector[-1] = 0 if any(counts) else 1
        vector += numpy.float32(self.shift) * numpy.roll(vector, 1)
        unit: Vectors = vector / numpy.linalg.norm(vector)
        return unit


class Installation:
    """What outlives the process: a database, a folder, and the models of this world."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.models = {"old": Model(8), "new": Model(9)}

    @asynccontextmanager
    async def _model(self, name: str) -> AsyncIterator[Model]:
        if name not in self.models:
            raise SettingsError(f"no such model {name}")
        yield self.models[name]

    @asynccontextmanager
    async def started(self, model: str = "old", *, runs: bool = True) -> AsyncIterator["Process"]:
        """`runs`: with what it does in the background."""
        await migrate(self.dsn)
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database.connect(self.dsn, connections=4, timeout=30))
            opened = await stack.enter_async_context(
                OpenCollections.none_yet(EdgeCollections(self.folder), self._model)
            )
            process = await Process.of(database, opened, model)
            tasks = []
            if runs:
                tasks = [
                    asyncio.create_task(process.reindexer.run()),
                    asyncio.create_task(process.mending.run(3600)),
                ]
            try:
                if runs:  # The tests count what the model computes.
                    await process.until(lambda: process.reindexer.has_compared)
                yield process
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def collections(self) -> set[str]:
        found: set[str] = set()
        for place, names, _ in os.walk(self.folder):  # Path.glob would raise when a folder goes meanwhile.
            generation = Path(place)
            if generation.parent == self.folder:
                found.update(f"{generation.name}/{name}" for name in names)
        return found


@dataclass
class Process:
    """The indexer without its bus."""

    database: Database
    generation: LiveGeneration
    writer: MessageWriter
    memories: Memories
    research: PageWriter
    pages: PageReader
    sources: Sources
    searching: Searching
    reindexer: Reindexer
    mending: Mending
    checking: Checking

    @classmethod
    async def of(cls, database: Database, opened: OpenCollections, model: str) -> "Process":
        table = PostgresGenerations(database)
        wanted = Wanted(model=model, name=f"{model}-v1", kinds=KINDS)
        row, generations = await open_live(table, opened, wanted)
        messages, locks = PostgresMessageTable(database), ProcessLocks()
        writer = MessageWriter(messages, generations, locks)
        memories = Memories(PostgresMemoryTable(database), generations, locks)
        sources = Sources(PostgresSources(database))
        page_table = PostgresResearchTable(database)
        research = PageWriter(page_table, generations, locks)
        pages = PageReader(page_table, sources, generations)
        hits: dict[Kind, Hits] = {
            "turn": PostgresMessageHits(database),
            "memory": memories,
            "research": pages,
        }
        rows: dict[Kind, Rows] = {
            "turn": PostgresMessageRows(database, writer.lock),
            "memory": PostgresMemoryRows(database, memories.lock),
            "research": PostgresPageRows(database, research.lock),
        }
        pace = Pace(look_seconds=0.02, grace_seconds=0.1)
        mending = Mending(
            PostgresTurnsWithoutMessages(database), rows, writer, generations, opened.remove_first
        )
        return cls(
            database,
            generations,
            writer,
            memories,
            research,
            pages,
            sources,
            Searching(messages, hits, generations, Stems(), sources),
            Reindexer(table, opened, generations, row, rows, wanted, pace),
            mending,
            Checking(rows, generations, mending),
        )

    async def found(self, query: str, user: str = "alice", **more: Any) -> list[str]:
        hits = (await self.searching.search(Search(user=user, query=query, limit=100, **more))).hits
        return [hit.text for hit in hits]

    async def scores(self, words: str) -> dict[str, tuple[float, float]]:
        """What the live index says of every message of alice: alone, and with what stands beside it."""
        live = self.generation.live
        vector = await live.embedder.embed_query(words)
        query = IndexQuery(user="alice", vector=vector, words=words, limit=1_000)
        return {
            one.key: (round(one.meaning or 0.0, 3), round(one.meaning_near or 0.0, 3))
            for one in await live.indexes["turn"].search(query)
        }

    async def checked(self, *, mend: bool = False) -> CheckReply:
        async def send(message: msgspec.Struct) -> None:
            return None

        while True:
            with contextlib.suppress(Refused):
                return await self.checking.check(Check(mend=mend), send)
            await asyncio.sleep(0.02)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_switched(self, name: str) -> None:
        await self.until(lambda: self.generation.live.name == name)
        assert self.generation.building is None


async def tell(process: Process, texts: Sequence[str] = TEXTS) -> None:
    await process.writer.add(
        [
            message(n, text, session_id=f"session {n % SESSIONS}", at=AT + timedelta(minutes=n))
            for n, text in enumerate(texts)
        ]
    )


def is_right(checked: CheckReply) -> bool:
    return checked.turns_without_messages == 0 and all(
        kind.rows_without_points == 0 == kind.points_without_rows for kind in checked.kinds
    )
