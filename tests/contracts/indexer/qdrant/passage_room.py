"""PassageIndex over either adapter, and points that can be foretold.

A Qdrant server cannot run here (it is no Python package). Its adapter is asked over qdrant-client's local
mode, which answers the same calls in memory: what is tested is the adapter's own work, not the server's.
Local mode does count how rare a word is among the user's own messages, so that scores can be compared.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy
import pytest
from qdrant_client import AsyncQdrantClient

from services.indexer.passages.index import Candidate, IndexQuery, PassageIndex
from services.indexer.passages.passage import Passage, Vectors
from services.indexer.qdrant.candidates import LISTS
from services.indexer.qdrant.edge import EdgePassageIndex
from services.indexer.qdrant.server import ServerPassageIndex
from tests.unit.samples import AT, message

DIMENSION = 4
BEES, ROSES, TAX, NOTHING = (numpy.eye(DIMENSION, dtype=numpy.float32)[i] for i in range(DIMENSION))
HALF = numpy.array([0.6, 0.8, 0.0, 0.0], dtype=numpy.float32)
"""Nearer to the roses than to the bees."""
DAY = timedelta(days=1)

Point = tuple[Passage, Vectors, Vectors]
"""With the vectors of the passage alone and of the passage with those beside it."""


def point(
    place: int, text: str, vector: Vectors, near: Vectors | None = None, *, part: int = 0, **more: Any
) -> Point:
    """Every message has another place here, by which the tests name it."""
    beside = {name: more.pop(name) for name in ("before", "after") if name in more}
    passage = Passage(message=message(place, text, **more), part=part, text=text, **beside)
    return passage, vector, vector if near is None else near


POINTS: Sequence[Point] = [
    point(1, "Mira keeps bees in Lisbon", BEES),
    point(2, "Red roses need sun", ROSES, session_id="garden", speaker="Caroline", role="other"),
    point(3, "The tax form XJ-4711 is due", TAX, at=AT + 3 * DAY),
    point(4, "Bees and roses, bees again", HALF, session_id="garden", speaker="assistant", role="assistant"),
    point(5, "Bob has bees as well", BEES, user="bob"),
]
OF_ALICE = {1, 2, 3, 4}


@asynccontextmanager
async def edge(folder: Path) -> AsyncIterator[PassageIndex]:
    async with EdgePassageIndex.open(folder / "turns", DIMENSION, "turn") as index:
        yield index


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[PassageIndex]:
    client = AsyncQdrantClient(":memory:")
    index = ServerPassageIndex(client, "turns-v1", "turn")
    await index.create(DIMENSION)
    try:
        yield index
    finally:
        await client.close()


async def write(index: PassageIndex, points: Sequence[Point] = POINTS) -> None:
    passages, vectors, near = zip(*points, strict=True)
    await index.upsert(passages, numpy.stack(vectors), numpy.stack(near))


async def ask(
    index: PassageIndex, vector: Vectors, words: str, *, user: str = "alice", **more: Any
) -> dict[int, Candidate]:
    """By place; each message once."""
    found = await index.search(IndexQuery(user=user, vector=vector, words=words, **more))
    assert len({candidate.key for candidate in found}) == len(found)
    return {candidate.ordinal: candidate for candidate in found}


def close_to(score: float) -> Any:
    return pytest.approx(score, abs=1e-3)


def scores(candidate: Candidate) -> list[float]:
    return [getattr(candidate, name) or 0.0 for name in LISTS]
