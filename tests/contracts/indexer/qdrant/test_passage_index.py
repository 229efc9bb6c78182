"""The contract of PassageIndex, put to both of its adapters: what is found, and whose it is."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.indexer.passages.index import Candidate, PassageIndex
from tests.contracts.indexer.qdrant.passage_room import (
    BEES,
    DAY,
    HALF,
    NOTHING,
    OF_ALICE,
    ROSES,
    TAX,
    ask,
    close_to,
    edge,
    point,
    scores,
    write,
)
from tests.unit.samples import AT

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


# --- finding ---


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


async def test_of_a_long_message_the_part_that_does_best_alone_is_named(index: PassageIndex) -> None:
    parts = [
        point(7, "wasps", TAX, BEES),
        point(7, "roses", HALF, part=1),
        point(7, "bees", BEES, TAX, part=2),
    ]
    await write(index, [*parts, point(8, "roses and wasps", ROSES)])

    assert (await ask(index, BEES, "bees"))[7].part == 2
    assert (await ask(index, BEES, "wasps wasps"))[7].part == 0, "by its words"
    assert (await ask(index, ROSES, "nothing"))[7].part == 1, "by its meaning"
    assert (await ask(index, ROSES, "roses"))[8].part == 0


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


# --- whose it is, and which of it ---


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
