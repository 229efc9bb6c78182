"""An indexer that starts and ends over a real PostgreSQL and a real Qdrant Edge.

Only the models are others: each knows the words below, in an order of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy

from services.indexer.adapters.collections import EdgeCollections
from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_counted import PostgresSources
from services.indexer.adapters.postgres_generations import PostgresGenerations
from services.indexer.adapters.postgres_memories import PostgresMemoryTable
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_research import PostgresResearchTable
from services.indexer.adapters.postgres_rows import (
    PostgresMemoryRows,
    PostgresMessageRows,
    PostgresPageRows,
    PostgresUnsaidTurns,
)
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.filling import Rows
from services.indexer.generation import Generations
from services.indexer.generations import Opened
from services.indexer.hits import Hits, MessageHits
from services.indexer.memories import Memories
from services.indexer.mending import Mending
from services.indexer.ports import IndexQuery, Vectors
from services.indexer.reindexing import Pace, Reindexer, Wanted, open_live
from services.indexer.remembering import Remembering
from services.indexer.research import Research
from services.indexer.searching import Searching
from services.indexer.sources import Sources
from shared.errors import Refused, SettingsError
from shared.replies import (
    Check,
    CheckReply,
    Kind,
    Search,
)
from tests.unit.samples import AT, message

WORDS = ("bees", "roses", "tax", "lisbon", "honey", "mira", "sun")
KINDS: list[Kind] = ["turn", "memory", "research"]
TEXTS = [f"{WORDS[n % 7]} and {WORDS[n * n % 5]} number {n}" for n in range(60)]
SESSIONS = 4


@dataclass
class Model:
    """Embedder that stops before it has computed more texts than it may."""

    dimension: int
    computed: list[str] = field(default_factory=list)
    may_compute: int = 1_000_000
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        while len(self.computed) + len(texts) > self.may_compute:
            self.stopped.set()
            await asyncio.sleep(0.005)
        self.computed += texts
        shape = (0, self.dimension)
        return numpy.stack([self._vector(text) for text in texts]) if texts else numpy.zeros(shape, "f4")

    async def embed_query(self, text: str) -> Vectors:
        return self._vector(text)

    def forget_queries(self) -> None:
        """It keeps none."""

    def _vector(self, text: str) -> Vectors:
        counts = [text.lower().count(word) for word in WORDS]
        vector = numpy.zeros(self.dimension, numpy.float32)
        vector[: len(WORDS)] = counts if self.dimension % 2 == 0 else counts[::-1]
        vector[-1] = 0 if any(counts) else 1
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
                Opened.nothing(EdgeCollections(self.folder), self._model)
            )
            process = await Process.of(database, opened, model)
            tasks = []
            if runs:
                tasks = [
                    asyncio.create_task(process.reindexer.run()),
                    asyncio.create_task(process.mending.run(3600)),
                ]
            try:
                yield process
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def collections(self) -> set[str]:
        found = self.folder.glob("*/*")
        return {f"{path.parent.name}/{path.name}" for path in found if path.is_dir()}


@dataclass
class Process:
    """The indexer without its bus."""

    database: Database
    generations: Generations
    remembering: Remembering
    memories: Memories
    research: Research
    sources: Sources
    searching: Searching
    reindexer: Reindexer
    mending: Mending

    @classmethod
    async def of(cls, database: Database, opened: Opened, model: str) -> "Process":
        table = PostgresGenerations(database)
        wanted = Wanted(model=model, name=f"{model}-v1", kinds=KINDS)
        row, generations = await open_live(table, opened, wanted)
        turns, messages = PostgresTurnTable(database), PostgresMessageTable(database)
        remembering = Remembering(messages, generations)
        memories = Memories(PostgresMemoryTable(database), generations)
        sources = Sources(PostgresSources(database))
        research = Research(PostgresResearchTable(database), sources, generations)
        hits: dict[Kind, Hits] = {
            "turn": MessageHits(messages, turns),
            "memory": memories,
            "research": research,
        }
        rows: dict[Kind, Rows] = {
            "turn": PostgresMessageRows(database, remembering.held),
            "memory": PostgresMemoryRows(database, memories.held),
            "research": PostgresPageRows(database, research.held),
        }
        pace = Pace(look_seconds=0.02, grace_seconds=0.1)
        return cls(
            database,
            generations,
            remembering,
            memories,
            research,
            sources,
            Searching(messages, hits, generations, sources),
            Reindexer(table, opened, generations, row, rows, wanted, pace),
            Mending(PostgresUnsaidTurns(database), rows, remembering, generations, opened.remove_first),
        )

    async def found(self, query: str, user: str = "alice", **more: Any) -> list[str]:
        hits = (await self.searching.search(Search(user=user, query=query, limit=100, **more))).hits
        return [hit.text for hit in hits]

    async def scores(self, words: str) -> dict[str, tuple[float, float]]:
        """What the live index says of every message of alice: alone, and with what stands beside it."""
        live = self.generations.live
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
                return await self.mending.check(Check(mend=mend), send)
            await asyncio.sleep(0.02)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_switched(self, name: str) -> None:
        await self.until(lambda: self.generations.live.name == name)
        assert self.generations.building is None


async def tell(process: Process, texts: Sequence[str] = TEXTS) -> None:
    await process.remembering.add(
        [
            message(n, text, session_id=f"session {n % SESSIONS}", at=AT + timedelta(minutes=n))
            for n, text in enumerate(texts)
        ]
    )


def is_right(checked: CheckReply) -> bool:
    return checked.turns_without_messages == 0 and all(
        kind.rows_without_points == 0 == kind.points_without_rows for kind in checked.kinds
    )
