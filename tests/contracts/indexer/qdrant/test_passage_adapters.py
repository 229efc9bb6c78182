"""The adapters of PassageIndex: their answers compared, and what only one of them does."""

import random
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy
import pytest
from qdrant_client import AsyncQdrantClient

from services.indexer.passages.index import Candidate, IndexQuery, Selection
from services.indexer.passages.passage import Vectors
from services.indexer.qdrant.candidates import LISTS
from services.indexer.qdrant.edge import EdgePassageIndex
from services.indexer.qdrant.server import ServerPassageIndex
from shared.contract.errors import Transient
from shared.process.environment import SettingsError
from tests.contracts.indexer.qdrant.passage_room import (
    BEES,
    DAY,
    DIMENSION,
    POINTS,
    Point,
    ask,
    close_to,
    edge,
    point,
    scores,
    server,
    write,
)
from tests.unit.samples import AT

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


# --- both alike --------------------------------------------------------------------------------------------

WORDS = ("bees", "roses", "Lisbon", "tax", "honey", "Mira", "XJ-4711", "garden", "keeps", "the", "since")


def any_text(chance: random.Random, most: int) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(0, most)))


def any_vector(chance: random.Random) -> Vectors:
    vector = numpy.array([chance.gauss(0, 1) for _ in range(DIMENSION)], numpy.float32)
    unit: Vectors = vector / numpy.linalg.norm(vector)
    return unit


def any_point(chance: random.Random, place: int) -> Point:
    return point(
        place,
        any_text(chance, 12) or "bees",
        any_vector(chance),
        any_vector(chance),
        before=any_text(chance, 6),
        after=any_text(chance, 6),
        user=chance.choice(("alice", "bob")),
        session_id=chance.choice(("kitchen", "garden")),
        speaker=chance.choice(("user", "assistant", "Caroline")),
        at=AT + chance.randint(0, 5) * DAY,
        is_echo=chance.random() < 0.2,
        uses=chance.randint(0, 3),
    )


def any_question(chance: random.Random) -> IndexQuery:
    def maybe(value: Any) -> Any:
        return value if chance.random() < 0.25 else None

    since: datetime | None = maybe(AT + chance.randint(0, 3) * DAY)
    return IndexQuery(
        user=chance.choice(("alice", "bob")),
        vector=any_vector(chance),
        words=any_text(chance, 5),
        session_id=maybe("garden"),
        speaker=maybe("CAROLINE"),
        since=since,
        until=maybe(AT + chance.randint(2, 5) * DAY),
        without_echoes=chance.random() < 0.3,
    )


@pytest.mark.parametrize("seed", range(3))
async def test_both_adapters_answer_the_same_questions_alike(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    points = [any_point(chance, place) for place in range(60)]
    async with edge(tmp_path) as one, server(tmp_path) as other:
        for index in (one, other):
            await write(index, points)
            await index.remove(Selection(user="bob", session_id="garden"))
            await index.set_uses({passage.message.point_id: 9 for passage, _, _ in points[:5]})

        found = 0
        for query in (any_question(chance) for _ in range(40)):
            here, there = [
                {candidate.key: candidate for candidate in await index.search(query)}
                for index in (one, other)
            ]
            assert here.keys() == there.keys()
            for key in here:
                assert known_of(here[key]) == known_of(there[key])
                assert scores(here[key]) == pytest.approx(scores(there[key]), abs=1e-3)
            found += len(here)
        assert found > 200
        assert (await one.messages(None, 100)) == (await other.messages(None, 100))


def known_of(candidate: Candidate) -> dict[str, Any]:
    """All but the scores, and which lists found it."""
    fields = {name: getattr(candidate, name) for name in Candidate.__struct_fields__}
    return fields | {name: fields[name] is not None for name in LISTS}


# --- what only the embedded one does -----------------------------------------------------------------------


async def test_points_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    async with edge(tmp_path) as index:
        await write(index)

    async with edge(tmp_path) as index:
        assert await index.count() == len(POINTS)
        found = await ask(index, BEES, "bees")
        assert found[1].meaning == close_to(1.0)
        assert found[1].words
        await write(index, [point(6, "More bees", BEES)])
        assert await index.count() == len(POINTS) + 1


async def test_a_folder_is_open_in_one_indexer_at_a_time(tmp_path: Path) -> None:
    async with edge(tmp_path) as index:
        await write(index)
        with pytest.raises(SettingsError, match=r"open in another indexer.*QDRANT_URL"):
            async with edge(tmp_path):
                pass
        assert await index.count() == len(POINTS), "the one that was there first goes on"

    async with edge(tmp_path) as index:
        assert await index.count() == len(POINTS)


async def test_a_model_with_vectors_of_another_size_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    async with edge(tmp_path) as index:
        await write(index)

    with pytest.raises(SettingsError, match="EMBEDDING_MODEL"):
        async with EdgePassageIndex.open(tmp_path / "turns", DIMENSION + 1, "turn"):
            pass

    async with edge(tmp_path) as index:
        assert await index.count() == len(POINTS)


# --- what only the server's does ---------------------------------------------------------------------------


async def test_an_indexer_that_starts_again_keeps_the_collection() -> None:
    client = AsyncQdrantClient(":memory:")
    await ServerPassageIndex(client, "turns", "turn").create(DIMENSION)
    await write(ServerPassageIndex(client, "turns", "turn"))

    await ServerPassageIndex(client, "turns", "turn").create(DIMENSION)

    assert await ServerPassageIndex(client, "turns", "turn").count() == len(POINTS)
    await client.close()


async def test_collections_of_one_server_hold_nothing_of_each_other() -> None:
    client = AsyncQdrantClient(":memory:")
    turns, memories = ServerPassageIndex(client, "turns", "turn"), ServerPassageIndex(client, "m", "memory")
    await turns.create(DIMENSION)
    await memories.create(DIMENSION)
    await write(turns)

    assert await memories.count() == 0
    assert await ask(memories, BEES, "bees") == {}
    await client.close()


async def test_a_server_that_is_away_is_transient() -> None:
    """Port 9 is the discard service, which nobody runs."""
    client = AsyncQdrantClient("http://127.0.0.1:9", timeout=1, check_compatibility=False)
    index = ServerPassageIndex(client, "turns", "turn")

    for attempt in (
        index.create(DIMENSION),
        write(index),
        ask(index, BEES, "bees"),
        index.remove(Selection(user="alice")),
        index.vectors([uuid4()]),
        index.set_uses({uuid4(): 1}),
        index.messages(None, 10),
        index.present([uuid4()]),
        index.drop([uuid4()]),
        index.count(),
    ):
        with pytest.raises(Transient, match="Qdrant is not reachable"):
            await attempt
    await client.close()
