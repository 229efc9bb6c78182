"""The contract of PassageIndex, put to both of its adapters, and their answers compared.

A Qdrant server cannot run here (it is no Python package). Its adapter is asked over qdrant-client's local
mode, which answers the same calls in memory: what is tested is the adapter's own work, not the server's.
Local mode does count how rare a word is among the user's own messages, so that scores can be compared.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy
import pytest
import pytest_asyncio
from qdrant_client import AsyncQdrantClient

from services.indexer.adapters.candidates import LISTS
from services.indexer.adapters.qdrant_edge import EdgePassageIndex
from services.indexer.adapters.qdrant_server import ServerPassageIndex
from services.indexer.domain.passages import Passage
from services.indexer.domain.ranking import Candidate
from services.indexer.ports import IndexQuery, PassageIndex, Selection, Vectors
from shared.errors import SettingsError, Transient
from tests.unit.samples import AT, message

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

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


@pytest.fixture(params=[edge, server], ids=["edge", "server"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PassageIndex]:
    async with request.param(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(params=[edge, server], ids=["edge", "server"], scope="module", loop_scope="session")
async def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PassageIndex]:
    """For the tests that only ask."""
    async with request.param(tmp_path_factory.mktemp("qdrant")) as opened:
        await write(opened)
        yield opened


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


# --- finding -----------------------------------------------------------------------------------------------


async def test_what_is_written_is_found_at_once_by_meaning_and_by_words(filled: PassageIndex) -> None:
    found = await ask(filled, BEES, "bees")

    assert set(found) == OF_ALICE
    assert [found[place].meaning for place in (1, 4, 2)] == [close_to(1.0), close_to(0.6), close_to(0.0)]
    assert {place for place, candidate in found.items() if candidate.words} == {1, 4}


async def test_a_message_is_found_by_what_was_said_beside_it(index: PassageIndex) -> None:
    yes = point(7, "Yes, since spring!", NOTHING, HALF, before="Do you keep bees?", after="How lovely.")
    await write(index, [yes])

    found = (await ask(index, BEES, "bees"))[7]

    assert (found.meaning, found.meaning_near) == (close_to(0.0), close_to(0.6))
    assert found.words is None
    assert (found.words_near or 0) > 0
    assert (await ask(index, NOTHING, "lovely"))[7].words_near


async def test_a_candidate_tells_what_ranking_asks_of_its_message(index: PassageIndex) -> None:
    asked = point(
        7,
        "Did Mira move in May?",
        BEES,
        session_id="D1: chat",
        speaker="Caroline",
        role="other",
        uses=3,
        at=AT,
    )
    await write(index, [asked])

    assert (await ask(index, BEES, "wasps"))[7] == Candidate(
        key=str(asked[0].message.point_id),
        kind="turn",
        session_id="D1: chat",
        ordinal=7,
        speaker="caroline",
        role="other",
        at=AT,
        asks=True,
        length=5,
        tells_time=True,
        uses=3,
        meaning=close_to(1.0),
        meaning_near=close_to(1.0),
        words=None,
        words_near=None,
    )


async def test_the_parts_of_a_long_message_are_one_candidate_with_the_best_score_of_each_list(
    index: PassageIndex,
) -> None:
    await write(
        index,
        [
            point(7, "bees bees bees", HALF, ROSES, part=0),
            point(7, "and bees", BEES, HALF, part=1),
            point(7, "wasps", TAX, TAX, part=2),
        ],
    )

    found = await ask(index, BEES, "bees")

    assert await index.count() == 3
    assert list(found) == [7]
    alone = await ask(index, BEES, "and bees")
    assert (found[7].meaning, found[7].meaning_near) == (close_to(1.0), close_to(0.6))
    assert found[7].words == alone[7].words, "the first part says it three times"


async def test_words_find_what_meaning_misses_and_it_has_its_place_by_meaning_too(
    filled: PassageIndex,
) -> None:
    found = await ask(filled, 0.8 * BEES + 0.6 * TAX, "XJ-4711", limit=1)

    assert set(found) == {1, 3}
    assert (found[1].meaning, found[3].meaning) == (close_to(0.8), close_to(0.6))
    assert (found[3].words or 0) > 0
    assert not found[1].words


async def test_a_word_is_found_in_another_form(filled: PassageIndex) -> None:
    assert (await ask(filled, NOTHING, "a bee and a rose"))[4].words


async def test_a_rare_word_weighs_more_than_a_common_one(filled: PassageIndex) -> None:
    found = await ask(filled, NOTHING, "Lisbon bees")

    assert (found[1].words or 0) > (found[4].words or 0) > 0


async def test_how_rare_a_word_is_depends_on_ones_own_messages_alone(index: PassageIndex) -> None:
    await write(index)
    before = await ask(index, NOTHING, "Lisbon bees")

    await write(index, [point(n, "Lisbon, Lisbon", TAX, user="bob") for n in range(10, 60)])

    assert (await ask(index, NOTHING, "Lisbon bees"))[1].words == close_to(before[1].words or 0)


async def test_the_length_of_a_message_says_nothing_about_its_worth(index: PassageIndex) -> None:
    long = point(8, "wasps " + "and many other words of no account here " * 9, BEES)
    await write(index, [point(7, "wasps", BEES), long])

    found = await ask(index, NOTHING, "wasps")

    assert found[7].words == pytest.approx(found[8].words)


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_a_candidate_is_among_the_best_of_one_of_the_four_lists(
    filled: PassageIndex, limit: int
) -> None:
    everything = await ask(filled, BEES, "bees roses tax", limit=100)
    found = await ask(filled, BEES, "bees roses tax", limit=limit)

    for candidate in found.values():
        assert any(
            score
            >= sorted((scores(one)[place] for one in everything.values()), reverse=True)[:limit][-1] - 1e-6
            for place, score in enumerate(scores(candidate))
        )
    assert len(found) <= 4 * limit


@pytest.mark.parametrize("text", ["", "the of and", "?!", "\0", "🐝", "a" * 100_000])
async def test_any_text_may_be_asked_for(filled: PassageIndex, text: str) -> None:
    """Without a word in it only meaning searches."""
    found = await ask(filled, BEES, text)

    assert set(found) == OF_ALICE
    assert all(not candidate.words for candidate in found.values())


async def test_a_message_without_words_is_found_by_its_meaning(index: PassageIndex) -> None:
    await write(index, [point(9, "?!", BEES)])

    assert (await ask(index, BEES, "bees"))[9].meaning == close_to(1.0)


async def test_an_empty_index_finds_nothing(index: PassageIndex) -> None:
    assert await index.count() == 0
    assert await ask(index, BEES, "bees") == {}
    assert await index.messages(None, 10) == ([], None)
    assert await index.vectors([uuid4()]) == {}


# --- whose it is, and which of it --------------------------------------------------------------------------


async def test_nobody_finds_what_another_user_said(filled: PassageIndex) -> None:
    assert set(await ask(filled, BEES, "bees", user="bob")) == {5}
    assert set(await ask(filled, BEES, "bees", user="carol")) == set()


async def test_of_a_thousand_users_who_said_the_same_each_finds_her_own(tmp_path: Path) -> None:
    users = [f"user{n}" for n in range(1_000)]
    async with edge(tmp_path) as index:
        await write(index, [point(n, f"bees of {user}", BEES, user=user) for n, user in enumerate(users)])

        for n, user in enumerate(users):
            assert set(await ask(index, BEES, "bees of user1 user2 user3", user=user)) == {n}


@pytest.mark.parametrize(
    ("only", "places"),
    [
        ({"session_id": "kitchen"}, {1, 3}),
        ({"session_id": "nowhere"}, set()),
        ({"speaker": "Caroline"}, {2}),
        ({"speaker": "cAROLINE"}, {2}),
        ({"speaker": "assistant"}, {4}),
        ({"speaker": "Carol"}, set()),
        ({"since": AT + DAY}, {3}),
        ({"since": AT + 3 * DAY}, {3}),
        ({"until": AT + 2 * DAY}, {1, 2, 4}),
        ({"until": AT + timedelta(minutes=2)}, {1, 2}),
        ({"since": AT + timedelta(minutes=2), "until": AT + DAY}, {2, 4}),
        ({"session_id": "garden", "speaker": "assistant", "since": AT}, {4}),
        ({"session_id": "kitchen", "speaker": "assistant"}, set()),
    ],
    ids=str,
)
async def test_a_search_may_be_for_a_part_of_it(
    filled: PassageIndex, only: dict[str, Any], places: set[int]
) -> None:
    """Bob's message is of the kitchen as well."""
    assert set(await ask(filled, BEES, "bees", **only)) == places


async def test_questions_that_know_nothing_of_their_own_can_be_left_out(index: PassageIndex) -> None:
    await write(index, [point(1, "Who keeps bees?", BEES, is_echo=True), point(2, "Mira keeps bees.", HALF)])

    assert set(await ask(index, BEES, "bees")) == {1, 2}
    assert set(await ask(index, BEES, "bees", without_echoes=True)) == {2}


# --- writing -----------------------------------------------------------------------------------------------


async def test_a_message_written_twice_is_one_point_with_its_last_words(index: PassageIndex) -> None:
    await write(index)
    await write(index, [point(1, "Mira keeps wasps", ROSES)])

    assert await index.count() == len(POINTS)
    found = await ask(index, ROSES, "wasps")
    assert found[1].meaning == close_to(1.0)
    assert found[1].words
    assert not (await ask(index, ROSES, "Lisbon"))[1].words


@pytest.mark.parametrize(
    ("removed", "left"),
    [
        (Selection(user="alice"), set()),
        (Selection(user="alice", session_id="garden"), {1, 3, 7}),
        (Selection(user="alice", session_id="nowhere"), {1, 2, 3, 4, 7}),
        (Selection(user="alice", messages=[message(7, "").point_id]), {1, 2, 3, 4}),
        (Selection(user="bob", messages=[message(7, "").point_id]), {1, 2, 3, 4, 7}),
        (Selection(user="alice", messages=[]), {1, 2, 3, 4, 7}),
        (Selection(user="carol"), {1, 2, 3, 4, 7}),
    ],
    ids=lambda one: "" if isinstance(one, set) else f"{one.user} {one.session_id} {one.messages}"[:40],
)
async def test_what_is_removed_is_found_no_more_and_nothing_else_is_lost(
    index: PassageIndex, removed: Selection, left: set[int]
) -> None:
    """Message 7 has two parts; bob loses nothing unless he is named."""
    await write(index, [*POINTS, point(7, "bees", BEES), point(7, "more bees", HALF, part=1)])

    await index.remove(removed)

    assert set(await ask(index, BEES, "bees")) == left
    assert set(await ask(index, BEES, "bees", user="bob")) == {5}
    assert await index.count() == 1 + len(left) + (7 in left)


async def test_the_vector_of_a_passage_can_be_read_again(index: PassageIndex) -> None:
    """That of the passage alone; those that are not there are left out."""
    first, second = point(7, "bees", HALF, TAX), point(7, "roses", ROSES, TAX, part=1)
    await write(index, [first, second])

    read = await index.vectors([second[0].id, first[0].id, uuid4()])

    assert set(read) == {first[0].id, second[0].id}
    assert read[first[0].id] == pytest.approx(HALF, abs=1e-6)
    assert read[second[0].id] == pytest.approx(ROSES, abs=1e-6)
    assert read[first[0].id].dtype == numpy.float32


async def test_uses_are_counted_at_every_part_of_a_message_and_at_no_other(index: PassageIndex) -> None:
    long = [point(7, "bees", HALF), point(7, "wasps", BEES, part=1)]
    await write(index, [*POINTS, *long])

    await index.set_uses({message(7, "").point_id: 4, message(1, "").point_id: 2})

    found = await ask(index, BEES, "bees")
    assert {place: candidate.uses for place, candidate in found.items()} == {1: 2, 2: 0, 3: 0, 4: 0, 7: 4}
    assert (await ask(index, BEES, "", limit=1, since=AT + timedelta(minutes=7), until=AT + DAY))[7].uses == 4
    assert found[1].meaning == close_to(1.0), "nothing else has changed"


async def test_uses_of_a_message_that_has_no_point_are_counted_nowhere(index: PassageIndex) -> None:
    await write(index)

    await index.set_uses({uuid4(): 3})

    assert await index.count() == len(POINTS)
    assert all(candidate.uses == 0 for candidate in (await ask(index, BEES, "bees")).values())


@pytest.mark.parametrize("limit", [1, 2, 6, 100])
async def test_all_messages_can_be_paged_through(index: PassageIndex, limit: int) -> None:
    """Of all users; one with several parts may come several times."""
    await write(index, [*POINTS, point(7, "bees", HALF), point(7, "wasps", BEES, part=1)])

    pages: list[list[UUID]] = []
    after: UUID | None = None
    while True:
        page, after = await index.messages(after, limit)
        pages.append(page)
        if after is None:
            break

    read = [one for page in pages for one in page]
    assert max(len(page) for page in pages) <= limit
    assert set(read) == {passage.message.point_id for passage, _, _ in POINTS} | {message(7, "").point_id}
    assert len(read) == len(POINTS) + 2


async def test_points_are_told_from_those_that_are_not_there(index: PassageIndex) -> None:
    await write(index)
    here = [passage.id for passage, _, _ in POINTS]

    assert await index.present([*here, uuid4()]) == set(here)
    assert await index.present([]) == set()


async def test_points_without_rows_are_dropped_whoevers_they_were(index: PassageIndex) -> None:
    await write(index, [*POINTS, point(7, "bees", HALF), point(7, "wasps", BEES, part=1)])

    await index.drop([message(1, "").point_id, message(5, "", user="bob").point_id, message(7, "").point_id])
    await index.drop([uuid4()])

    assert await index.count() == len(POINTS) - 2
    assert set(await ask(index, BEES, "bees")) == {2, 3, 4}
    assert await ask(index, BEES, "bees", user="bob") == {}


async def test_writing_and_searching_go_on_side_by_side(index: PassageIndex) -> None:
    points = [point(n, f"message number {n}", BEES) for n in range(40)]

    await asyncio.gather(
        *(write(index, points[n : n + 4]) for n in range(0, 40, 4)),
        *(ask(index, BEES, "message") for _ in range(10)),
    )

    assert await index.count() == 40


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


def scores(candidate: Candidate) -> list[float]:
    return [getattr(candidate, name) or 0.0 for name in LISTS]


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
        index.count(),
        index.check(),
    ):
        with pytest.raises(Transient, match="Qdrant is not reachable"):
            await attempt
    await client.close()
