"""What a turn needs of memory, in one answer."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.contract.errors import Refused
from shared.contract.requests import Recall, Recalled, TurnRow
from tests.contracts.indexer.messages.message_room import Room, message_room, said
from tests.unit.samples import saved


@pytest.fixture
async def room(database: str, tmp_path: Path) -> AsyncIterator[Room]:
    async with message_room(database, tmp_path) as opened:
        yield opened


async def recalled(room: Room, query: str, **more: Any) -> Recalled:
    return await room.recalling.recall(Recall(user="alice", query=query, **more))


def numbers(turns: list[TurnRow] | None) -> list[int]:
    assert turns is not None
    return [turn.turn_number for turn in turns]


async def test_what_was_found_comes_with_its_neighbours_and_the_sessions_last_turns(room: Room) -> None:
    kitchen = [saved(number, text) for number, text in enumerate(["Tax.", "I keep bees.", "Roses."], 1)]
    garden = [saved(number, "The sun.", session_id="garden") for number in range(4, 8)]
    await room.turns.on_turns_saved([*kitchen, *garden, saved(8, "Bees are mine.", user="bob")])

    found = await recalled(room, "bees", limit=1, session_id="garden", turns=3)

    (passage,) = found.passages
    assert (passage.turn_number, passage.input, passage.kind) == (2, "I keep bees.", "turn")
    assert passage.similarity > 0.5
    assert numbers(found.neighbours) == [1, 3]
    assert numbers(found.turns) == [7, 6, 5]


async def test_an_imported_message_is_a_passage_without_neighbours(room: Room) -> None:
    await room.writer.add([said(1, "My bees sleep."), said(2, "The tax is due.")])

    found = await recalled(room, "bees", limit=1)

    assert [(one.id, one.input, one.output) for one in found.passages] == [("m1", "My bees sleep.", "")]
    assert found.neighbours == []


async def test_what_has_nothing_to_do_with_the_words_is_not_recalled(room: Room) -> None:
    await room.turns.on_turns_saved([saved(1, "Roses."), saved(2, "The tax is due.")])

    found = await recalled(room, "bees", session_id="kitchen")

    assert (found.passages, found.neighbours) == ([], [])
    assert numbers(found.turns) == [2, 1], "the session's turns are told all the same"


async def test_a_question_that_was_only_answered_with_quotations_is_not_recalled(room: Room) -> None:
    echo = saved(2, "Who keeps bees?", "I keep bees. [turn 1]", quoted=True, intent="question")
    await room.turns.on_turns_saved([saved(1, "I keep bees."), echo])

    assert [one.turn_number for one in (await recalled(room, "bees")).passages] == [1]


async def test_without_a_session_no_turns_are_told(room: Room) -> None:
    await room.turns.on_turns_saved([saved(1, "I keep bees.")])

    assert (await recalled(room, "bees")).turns is None


async def test_without_words_it_is_refused_as_a_search_is(room: Room) -> None:
    with pytest.raises(Refused, match="query is empty"):
        await recalled(room, " ", session_id="kitchen")
