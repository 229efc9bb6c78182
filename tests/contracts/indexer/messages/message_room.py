"""The indexer's core over a real PostgreSQL and a real Qdrant Edge.

Only the model is another one: it knows the words below and nothing else, so that vectors can be foretold.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy
import pytest

from services.indexer.generations.locks import ProcessLocks
from services.indexer.generations.writing import Generation
from services.indexer.messages.listing import Listing
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.messages.turns import EndedTurns
from services.indexer.messages.writing import MessageWriter
from services.indexer.passages.index import Candidate, IndexQuery, PassageIndex
from services.indexer.passages.message import Message, message_of_import
from services.indexer.passages.passage import Vectors
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.qdrant.edge import EdgePassageIndex
from services.indexer.search.postgres import PostgresMessageHits
from services.indexer.search.recall import Recalling
from services.indexer.search.steps import Searching
from shared.contract.errors import Transient
from shared.contract.requests import Hit, ImportedMessage, Search
from shared.language.stems import Stems
from tests.unit.samples import AT

WORDS = ("bees", "roses", "tax", "lisbon", "honey", "mira", "sun")
DIMENSION = len(WORDS) + 1
"""One for each of the words, and one for whatever is said without them."""


@dataclass
class KnownWords:
    """Embedder: the direction of a text is how often it says each of the words."""

    dimension: int = DIMENSION
    engine: str = "words"
    embedded: list[str] = field(default_factory=list)
    """Every text that was to be stored, in order."""
    is_away: bool = False

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.is_away:
            raise Transient("the model is away", retry_in=1.0)
        self.embedded += texts
        return (
            numpy.stack([vector_of(text) for text in texts]) if texts else numpy.zeros((0, DIMENSION), "f4")
        )

    async def embed_query(self, text: str) -> Vectors:
        return vector_of(text)

    def familiarity(self, text: str) -> float:
        return 1.0

    def count_tokens(self, texts: Sequence[str]) -> int:
        return len(texts)

    def forget_queries(self) -> None:
        """It keeps none."""


def vector_of(text: str) -> Vectors:
    counts = [text.lower().count(word) for word in WORDS]
    vector = numpy.array([*counts, 0 if any(counts) else 1], numpy.float32)
    unit: Vectors = vector / numpy.linalg.norm(vector)
    return unit


@dataclass
class Room:
    """The indexer without its bus."""

    embedder: KnownWords
    index: PassageIndex
    table: PostgresMessageTable
    writer: MessageWriter
    turns: EndedTurns
    listing: Listing
    searching: Searching
    recalling: Recalling

    async def hits(self, query: str, user: str = "alice", **more: Any) -> list[Hit]:
        return (await self.searching.search(Search(user=user, query=query, **more))).hits

    async def found(self, query: str, user: str = "alice", **more: Any) -> list[str]:
        """The best message of each hit."""
        return [hit.message_ids[0] for hit in await self.hits(query, user, **more)]

    async def candidates(self, words: str, user: str = "alice") -> dict[str, Candidate]:
        """What the index says of every message, by its text's place among WORDS or not."""
        query = IndexQuery(user=user, vector=vector_of(words), words=words, limit=1_000)
        return {candidate.key: candidate for candidate in await self.index.search(query)}


@asynccontextmanager
async def message_room(database: str, folder: Path) -> AsyncIterator[Room]:
    await migrate(database)
    async with (
        Database.connect(database, connections=4, timeout=30) as connected,
        EdgePassageIndex.open(folder / "turns", DIMENSION, "turn") as index,
    ):
        turns, table, embedder = PostgresTurnTable(connected), PostgresMessageTable(connected), KnownWords()
        generation = Generation("v1", embedder, {"turn": index})
        writer = MessageWriter(table, generation, ProcessLocks())
        searching = Searching(table, {"turn": PostgresMessageHits(connected)}, generation, Stems())
        yield Room(
            embedder,
            index,
            table,
            writer,
            EndedTurns(turns, table, writer, generation),
            Listing(turns, table, generation),
            searching,
            Recalling(searching, turns),
        )


def said(number: int, text: str, user: str = "alice", **more: Any) -> Message:
    return message_of_import(user, imported(number, text, **more))


def imported(number: int, text: str, **more: Any) -> ImportedMessage:
    fields: dict[str, Any] = {"session_id": "D1", "speaker": "Caroline", **more}
    return ImportedMessage(message_id=f"m{number}", text=text, at=AT + timedelta(minutes=number), **fields)


def close_to(score: float) -> Any:
    return pytest.approx(score, abs=1e-3)


def near(*texts: str) -> Vectors:
    """Of the first text, with the others beside it."""
    vector = vector_of(texts[0]) + 0.5 * sum((vector_of(text) for text in texts[1:]), numpy.zeros(DIMENSION))
    unit: Vectors = vector / numpy.linalg.norm(vector)
    return unit


async def assert_near(room: Room, one: Message, *texts: str) -> None:
    """The index holds the message with these beside it, and with no others."""
    expected = near(one.text, *texts)
    for i, word in enumerate(WORDS):
        held = (await room.candidates(word, one.user))[str(one.point_id)]
        assert held.meaning_near == close_to(float(expected[i])), word
        assert bool(held.words_near) == any(word in text.lower() for text in (one.text, *texts)), word
