"""The contract of TurnIndex, put to both of its adapters, and their answers compared.

A Qdrant server cannot run here (it is no Python package). Its adapter is asked over qdrant-client's local
mode, which answers the same calls in memory: what is tested is the adapter's own work, not the server's.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy
import pytest
import pytest_asyncio
from qdrant_client import AsyncQdrantClient

from services.indexer.adapters.qdrant_edge import EdgeTurnIndex
from services.indexer.adapters.qdrant_server import ServerTurnIndex
from services.indexer.domain.fusion import Candidate
from services.indexer.domain.passages import Passage, passage_of
from services.indexer.ports import TurnIndex, Vectors
from shared.errors import SettingsError, Transient
from tests.unit.samples import saved

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

DIMENSION = 4
BEES, ROSES, TAX, NOTHING = (numpy.eye(DIMENSION, dtype=numpy.float32)[i] for i in range(DIMENSION))
HALF = numpy.array([0.6, 0.8, 0.0, 0.0], dtype=numpy.float32)
"""Nearer to the roses than to the bees."""

TURNS: Sequence[tuple[Passage, Vectors]] = [
    (passage_of(saved(1, "Mira keeps bees in Lisbon", "", user="alice", session_id="kitchen")), BEES),
    (passage_of(saved(2, "Red roses need sun", "", user="alice", session_id="garden")), ROSES),
    (passage_of(saved(3, "The tax form XJ-4711 is due", "", user="alice", session_id="kitchen")), TAX),
    (passage_of(saved(4, "Bees and roses, bees again", "", user="alice", session_id="garden")), HALF),
    (passage_of(saved(5, "Bob has bees as well", "", user="bob", session_id="kitchen")), BEES),
]


@asynccontextmanager
async def edge(folder: Path) -> AsyncIterator[TurnIndex]:
    async with EdgeTurnIndex.open(folder / "turns", DIMENSION) as index:
        yield index


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[TurnIndex]:
    client = AsyncQdrantClient(":memory:")
    index = ServerTurnIndex(client)
    await index.create(DIMENSION)
    try:
        yield index
    finally:
        await client.close()


@pytest.fixture(params=[edge, server], ids=["edge", "server"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TurnIndex]:
    async with request.param(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(params=[edge, server], ids=["edge", "server"], scope="module", loop_scope="session")
async def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TurnIndex]:
    """For the tests that only ask."""
    async with request.param(tmp_path_factory.mktemp("qdrant")) as opened:
        await write(opened)
        yield opened


async def write(index: TurnIndex, turns: Sequence[tuple[Passage, Vectors]] = TURNS) -> None:
    await index.upsert([passage for passage, _ in turns], numpy.stack([vector for _, vector in turns]))


async def ask(
    index: TurnIndex,
    vector: Vectors,
    text: str,
    *,
    user: str = "alice",
    session_id: str | None = None,
    without_echoes: bool = False,
    limit: int = 10,
) -> dict[str, Candidate]:
    found = await index.search(
        user, vector, text, session_id=session_id, without_echoes=without_echoes, limit=limit
    )
    assert len({candidate.turn_id for candidate in found}) == len(found)
    return {candidate.turn_id: candidate for candidate in found}


async def test_what_is_written_is_found_at_once_by_meaning_and_by_words(filled: TurnIndex) -> None:
    found = await ask(filled, BEES, "bees")

    assert set(found) == {"t1", "t2", "t3", "t4"}
    assert found["t1"].similarity == pytest.approx(1.0, abs=1e-3)
    assert found["t4"].similarity == pytest.approx(0.6, abs=1e-3)
    assert found["t2"].similarity == pytest.approx(0.0, abs=1e-3)
    assert {turn_id for turn_id, candidate in found.items() if candidate.words} == {"t1", "t4"}


async def test_questions_that_know_nothing_of_their_own_can_be_left_out(index: TurnIndex) -> None:
    echo = saved(1, "Who keeps bees?", "Mira. (turn 2)", user="alice", intent="question", quoted=True)
    told = saved(2, "Mira keeps bees.", "Noted.", user="alice", intent="statement", quoted=True)
    await write(index, [(passage_of(echo), BEES), (passage_of(told), HALF)])

    assert set(await ask(index, BEES, "bees")) == {"t1", "t2"}
    assert set(await ask(index, BEES, "bees", without_echoes=True)) == {"t2"}


async def test_words_find_what_meaning_misses(filled: TurnIndex) -> None:
    found = await ask(filled, BEES, "XJ-4711", limit=1)

    assert set(found) == {"t1", "t3"}
    assert found["t3"].similarity is None
    assert (found["t3"].words or 0) > 0
    assert found["t1"].words is None


async def test_a_word_is_found_in_another_form(filled: TurnIndex) -> None:
    assert (await ask(filled, NOTHING, "a bee and a rose"))["t4"].words


async def test_a_rare_word_weighs_more_than_a_common_one(filled: TurnIndex) -> None:
    found = await ask(filled, NOTHING, "Lisbon bees")

    assert (found["t1"].words or 0) > (found["t4"].words or 0) > 0


async def test_the_length_of_a_turn_says_nothing_about_its_worth(index: TurnIndex) -> None:
    long = passage_of(saved(8, "wasps " + "and many other words of no account here " * 9, ""))
    await write(index, [(passage_of(saved(7, "wasps", "")), BEES), (long, BEES)])

    found = await ask(index, NOTHING, "wasps")

    assert found["t7"].words == pytest.approx(found["t8"].words)


async def test_a_turn_written_twice_is_one_point_with_its_last_words(index: TurnIndex) -> None:
    await write(index)
    again = passage_of(saved(1, "Mira keeps wasps", "", user="alice"))
    await write(index, [(again, ROSES)])

    assert await index.count() == len(TURNS)
    found = await ask(index, ROSES, "wasps")
    assert found["t1"].similarity == pytest.approx(1.0, abs=1e-3)
    assert found["t1"].words
    assert not (await ask(index, ROSES, "Lisbon"))["t1"].words


async def test_nobody_finds_what_another_user_said(filled: TurnIndex) -> None:
    assert set(await ask(filled, BEES, "bees", user="bob")) == {"t5"}
    assert set(await ask(filled, BEES, "bees", user="carol")) == set()


async def test_one_session_can_be_searched_alone_and_is_still_of_one_user(filled: TurnIndex) -> None:
    assert set(await ask(filled, BEES, "bees", session_id="kitchen")) == {"t1", "t3"}
    assert set(await ask(filled, BEES, "bees", session_id="nowhere")) == set()


@pytest.mark.parametrize(("limit", "most"), [(1, 2), (2, 4), (10, 4)])
async def test_each_of_the_two_searches_keeps_to_the_limit(filled: TurnIndex, limit: int, most: int) -> None:
    found = await ask(filled, BEES, "bees roses tax", limit=limit)

    assert sum(candidate.similarity is not None for candidate in found.values()) <= limit
    assert sum(candidate.words is not None for candidate in found.values()) <= limit
    assert len(found) <= most


@pytest.mark.parametrize("text", ["", "the of and", "?!", "\0", "🐝", "a" * 100_000])
async def test_any_text_may_be_asked_for(filled: TurnIndex, text: str) -> None:
    """Without a word in it only meaning searches."""
    found = await ask(filled, BEES, text)

    assert set(found) == {"t1", "t2", "t3", "t4"}
    assert all(not candidate.words for candidate in found.values())


async def test_a_turn_without_words_is_found_by_its_meaning(index: TurnIndex) -> None:
    await write(index, [(passage_of(saved(9, "?!", "")), BEES)])

    assert (await ask(index, BEES, "bees"))["t9"].similarity == pytest.approx(1.0, abs=1e-3)


async def test_an_empty_index_finds_nothing(index: TurnIndex) -> None:
    assert await index.count() == 0
    assert await ask(index, BEES, "bees") == {}


async def test_writing_and_searching_go_on_side_by_side(index: TurnIndex) -> None:
    turns = [(passage_of(saved(n, f"turn number {n}", "")), BEES) for n in range(40)]

    await asyncio.gather(
        *(write(index, turns[n : n + 4]) for n in range(0, 40, 4)),
        *(ask(index, BEES, "turn") for _ in range(10)),
    )

    assert await index.count() == 40


async def test_both_adapters_answer_the_same_questions_alike(tmp_path: Path) -> None:
    questions: list[tuple[Vectors, str, str, str | None]] = [
        (BEES, "bees", "alice", None),
        (HALF, "Who keeps bees and roses?", "alice", None),
        (TAX, "tax form xj-4711", "alice", "kitchen"),
        (NOTHING, "Lisbon", "alice", None),
        (ROSES, "sun", "bob", None),
        (ROSES, "", "alice", "garden"),
    ]
    async with edge(tmp_path) as one, server(tmp_path) as other:
        await write(one)
        await write(other)
        for vector, text, user, session_id in questions:
            here, there = [
                await ask(index, vector, text, user=user, session_id=session_id) for index in (one, other)
            ]
            assert here.keys() == there.keys()
            for turn_id in here:
                assert scores(here[turn_id]) == pytest.approx(scores(there[turn_id]), abs=1e-3)


def scores(candidate: Candidate) -> tuple[float, float]:
    return candidate.similarity or 0.0, candidate.words or 0.0


# --- what only the embedded one does -----------------------------------------------------------------------


async def test_points_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    async with edge(tmp_path) as index:
        await write(index)

    async with edge(tmp_path) as index:
        assert await index.count() == len(TURNS)
        found = await ask(index, BEES, "bees")
        assert found["t1"].similarity == pytest.approx(1.0, abs=1e-3)
        assert found["t1"].words
        await write(index, [(passage_of(saved(6, "More bees", "")), BEES)])
        assert await index.count() == len(TURNS) + 1


async def test_a_folder_is_open_in_one_indexer_at_a_time(tmp_path: Path) -> None:
    async with edge(tmp_path) as index:
        await write(index)
        with pytest.raises(SettingsError, match=r"open in another indexer.*QDRANT_URL"):
            async with edge(tmp_path):
                pass
        assert await index.count() == len(TURNS), "the one that was there first goes on"

    async with edge(tmp_path) as index:
        assert await index.count() == len(TURNS)


async def test_a_model_with_vectors_of_another_size_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    async with edge(tmp_path) as index:
        await write(index)

    with pytest.raises(SettingsError, match="EMBEDDING_MODEL"):
        async with EdgeTurnIndex.open(tmp_path / "turns", DIMENSION + 1):
            pass

    async with edge(tmp_path) as index:
        assert await index.count() == len(TURNS)


# --- what only the server's does ---------------------------------------------------------------------------


async def test_an_indexer_that_starts_again_keeps_the_collection() -> None:
    client = AsyncQdrantClient(":memory:")
    await ServerTurnIndex(client).create(DIMENSION)
    await write(ServerTurnIndex(client))

    await ServerTurnIndex(client).create(DIMENSION)

    assert await ServerTurnIndex(client).count() == len(TURNS)
    await client.close()


async def test_a_server_that_is_away_is_transient() -> None:
    """Port 9 is the discard service, which nobody runs."""
    client = AsyncQdrantClient("http://127.0.0.1:9", timeout=1, check_compatibility=False)
    index = ServerTurnIndex(client)

    for attempt in (index.create(DIMENSION), write(index), ask(index, BEES, "bees"), index.check()):
        with pytest.raises(Transient, match="Qdrant is not reachable"):
            await attempt
    await client.close()
