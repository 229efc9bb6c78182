"""The steps of memories over a real PostgreSQL and a real Qdrant Edge."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy

from services.indexer.generations.locks import ProcessLocks
from services.indexer.generations.writing import Generation
from services.indexer.memories.postgres.memories import PostgresMemoryTable
from services.indexer.memories.steps import Memories
from services.indexer.passages.index import IndexQuery
from services.indexer.passages.passage import Vectors
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.qdrant.edge import EdgePassageIndex
from shared.contract.errors import Transient
from shared.contract.events import MemorySaved
from shared.contract.memories import Statement
from shared.contract.requests import Hit, ListMemories, MemoryFilter
from tests.unit.indexer.memories.memories_room import NOON

DIMENSION = 4


class Even:
    """Embedder: every text is alike, and words have to tell them apart."""

    dimension = DIMENSION
    engine = "words"
    is_away = False

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.is_away:
            raise Transient("the model is away")
        return numpy.full((len(texts), DIMENSION), 0.5, numpy.float32)

    async def embed_query(self, text: str) -> Vectors:
        return numpy.full(DIMENSION, 0.5, numpy.float32)

    def familiarity(self, text: str) -> float:
        return 1.0

    def count_tokens(self, texts: Sequence[str]) -> int:
        return len(texts)

    def forget_queries(self) -> None:
        """Keeps none."""


class Room:
    def __init__(self, memories: Memories, index: EdgePassageIndex, embedder: Even) -> None:
        self.memories = memories
        self.index = index
        self.embedder = embedder
        self.now = NOON

    async def state(self, memory_id: str, text: str, at: datetime = NOON, **more: Any) -> None:
        statement = Statement(text=text, said_at=at, **more)
        await self.memories.on_memory_stated(
            MemorySaved(memory_id=memory_id, user="alice", statement=statement)
        )

    async def found(self, words: str, user: str = "alice") -> list[Hit]:
        vector = await self.embedder.embed_query(words)
        candidates = await self.index.search(IndexQuery(user=user, vector=vector, words=words))
        return list((await self.memories.of(user, [UUID(one.key) for one in candidates])).values())

    async def known(self, **more: Any) -> list[str]:
        page = await self.memories.list_memories(ListMemories(user="alice", where=MemoryFilter(**more)))
        return [one.text for one in page.memories]


@asynccontextmanager
async def opened_room(database: str, folder: Path) -> AsyncIterator[Room]:
    await migrate(database)
    embedder = Even()
    async with (
        Database.connect(database, connections=4, timeout=30) as connected,
        EdgePassageIndex.open(folder, DIMENSION, "memory") as index,
    ):
        table = PostgresMemoryTable(connected)
        generation = Generation("test", embedder, {"memory": index})
        made = Room(Memories(table, generation, ProcessLocks(), lambda: made.now), index, embedder)
        yield made
