"""From messages to points: rows and what stands beside them, whatever comes again or is broken off."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.indexer.passages.index import Candidate
from shared.contract.errors import Transient
from shared.contract.requests import Count
from tests.contracts.indexer.messages.message_room import WORDS, Room, assert_near, message_room, said
from tests.unit.samples import saved


@pytest.fixture
async def room(database: str, tmp_path: Path) -> AsyncIterator[Room]:
    async with message_room(database, tmp_path) as opened:
        yield opened


# --- what stands beside a message --------------------------------------------------------------------------


async def test_what_stands_beside_the_last_message_changes_when_the_next_one_comes(room: Room) -> None:
    first, second, third = said(1, "Bees?"), said(2, "Roses."), said(3, "Tax!")

    await room.writer.add([first])
    await assert_near(room, first)

    await room.writer.add([second])
    await assert_near(room, first, second.text)
    await assert_near(room, second, first.text)

    await room.writer.add([third])
    await assert_near(room, first, second.text)
    await assert_near(room, second, first.text, third.text)
    await assert_near(room, third, second.text)


async def test_sessions_and_users_do_not_leak_into_each_other(room: Room) -> None:
    garden, kitchen = said(1, "Bees", session_id="garden"), said(1, "Roses", session_id="kitchen")
    of_bob = said(1, "Tax", user="bob", session_id="garden")

    await room.writer.add([garden, kitchen, of_bob])
    await room.writer.add([said(2, "Honey", session_id="kitchen")])

    await assert_near(room, garden)
    await assert_near(room, kitchen, "Honey")
    await assert_near(room, of_bob)


@pytest.mark.parametrize("seed", range(3))
async def test_messages_that_come_one_by_one_stand_as_if_all_had_come_at_once(room: Room, seed: int) -> None:
    """Whatever the parts that they come in, and also where one of them is long."""
    chance = random.Random(seed)  # noqa: S311
    texts = [" ".join(chance.choices(WORDS, k=chance.choice((1, 3, 200)))) for _ in range(12)]
    once = [said(number, text, session_id="once") for number, text in enumerate(texts)]
    parts = [said(number, text, session_id="parts") for number, text in enumerate(texts)]

    await room.writer.add(once)
    while parts:
        size = chance.randint(1, 4)
        await room.writer.add(parts[:size])
        parts = parts[size:]

    for word in WORDS:
        held = await room.candidates(word)
        for number, text in enumerate(texts):
            one, other = (
                held[str(said(number, text, session_id=session).point_id)] for session in ("once", "parts")
            )
            assert scores(one) == pytest.approx(scores(other), abs=1e-5)


def scores(candidate: Candidate) -> list[float]:
    return [
        score or 0.0
        for score in (candidate.meaning, candidate.meaning_near, candidate.words, candidate.words_near)
    ]


async def test_two_writers_of_one_session_at_once_leave_no_point_with_what_stood_beside_it_before(
    room: Room,
) -> None:
    messages = [said(number, word) for number, word in enumerate(WORDS)]

    await asyncio.gather(*(room.writer.add([message]) for message in messages))

    placed = (await room.table.get("alice", [message.point_id for message in messages])).values()
    texts = [""] + [one.text for one in sorted(placed, key=lambda one: one.ordinal)] + [""]
    for before, own, after in zip(texts, texts[1:], texts[2:], strict=False):
        one = next(message for message in messages if message.text == own)
        await assert_near(room, one, *filter(None, (before, after)))


async def test_the_model_computes_a_vector_once(room: Room) -> None:
    """Those of the neighbours are read from the index."""
    await room.writer.add([said(1, "Bees"), said(2, "Roses")])
    await room.writer.add([said(3, "Tax")])
    await room.writer.add([said(1, "Bees"), said(2, "Roses"), said(3, "Tax")])

    assert room.embedder.embedded == ["Bees", "Roses", "Tax"]


# --- what comes again, and what is broken off --------------------------------------------------------------


async def test_the_same_messages_again_change_nothing(room: Room) -> None:
    messages = [said(1, "Bees"), said(2, "Roses " * 300)]
    await room.writer.add(messages)
    before = await room.candidates("roses"), await room.index.count()

    added = await room.writer.add(messages)

    assert (added.new, added.changed, added.known) == (0, [], 2)
    assert (await room.candidates("roses"), await room.index.count()) == before


async def test_a_message_whose_points_were_never_written_is_indexed_when_it_comes_again(room: Room) -> None:
    """As after a crash between its row and its points."""
    messages = [said(1, "Bees"), said(2, "Roses")]
    await room.writer.add(messages[:1])
    room.embedder.is_away = True
    with pytest.raises(Transient):
        await room.writer.add(messages)
    assert (await room.table.count(), await room.index.count()) == ((2, 1), 1)
    room.embedder.is_away = False

    added = await room.writer.add(messages)

    assert (added.new, added.known) == (0, 2)
    assert (await room.table.count(), await room.index.count()) == ((2, 0), 2)
    await assert_near(room, messages[0], "Roses")
    await assert_near(room, messages[1], "Bees")


async def test_a_changed_message_is_found_by_its_new_words_alone(room: Room) -> None:
    before, after = said(1, "Bees"), said(3, "Roses")
    await room.writer.add([before, said(2, "Tax"), after])
    changed = said(2, "Honey")

    added = await room.writer.add([changed])

    assert added.changed == [changed.point_id]
    assert await room.index.count() == 3
    await assert_near(room, changed, "Bees", "Roses")
    await assert_near(room, before, "Honey")
    await assert_near(room, after, "Honey")


@pytest.mark.parametrize("is_broken_off", [False, True])
async def test_a_long_message_that_was_shortened_leaves_no_part_behind(
    room: Room, is_broken_off: bool
) -> None:
    """Also where the indexer dies right after the row was changed."""
    long, short = said(1, "Tax " * 400), said(1, "Honey")
    await room.writer.add([long])
    assert await room.index.count() == 3
    if is_broken_off:
        await room.table.add([short])

    await room.writer.add([short])

    assert await room.index.count() == 1
    await assert_near(room, short)


async def test_of_a_long_message_every_part_is_found_and_it_is_one_hit(room: Room) -> None:
    text = "Bees. " + "and so on and on " * 60 + "Roses. " + "or whatever " * 150 + "Lisbon."
    await room.writer.add([said(1, text), said(2, "Tax")])

    for word in ("bees", "roses", "lisbon"):
        assert (await room.found(word))[0] == "m1"
        assert [hit.text for hit in await room.hits(word)].count(text) == 1


async def test_a_turn_that_is_saved_twice_is_there_once(room: Room) -> None:
    event = saved(7, "Where are the bees?", "In Lisbon.")

    first = await room.turns.on_turns_saved([event])
    again = await room.turns.on_turns_saved([event, event])

    assert [one.message_id for one in first] == ["t7:turn.indexed"]
    assert {one.message_id for one in again} == {"t7:turn.indexed"}
    counted = await room.listing.count(Count())
    assert (counted.rows, counted.messages, counted.unindexed, counted.points) == (1, 2, 0, 2)
    assert counted.highest_turn_number == 7
