"""How often a turn asks memory, and what it does where memory cannot say all of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.orchestrator.prompts.context import joined
from shared.contract.errors import NoAnswer, Transient
from shared.contract.events import SourcesFound, TurnSaved
from shared.contract.requests import Recall, Recalled
from tests.unit.orchestrator.orchestrator_room import Parrot, Room, Shelf
from tests.unit.orchestrator.pipeline.pipeline_room import Rooms, Thinker, think
from tests.unit.samples import passage, row


@pytest.fixture
async def make_room(tmp_path: Path) -> AsyncIterator[Rooms]:
    made = Rooms(tmp_path)
    yield made
    await made.close()


def degraded(room: Room, turn_id: str) -> list[str]:
    (sources,) = (one for one in room.announced.events[turn_id].values() if isinstance(one, SourcesFound))
    return sources.degraded


async def test_a_turn_asks_memory_once(make_room: Rooms) -> None:
    room = make_room(Parrot(), memory=Shelf([passage(7, "Mira lives in Lisbon.")], [row(41, "I am Tom.")]))

    saved = await room.hand_in(42, "Where does Mira live?")

    assert isinstance(saved, TurnSaved)
    assert (room.memory.asked, room.memory.listed) == (1, 0)
    said = [message.content for message in room.model.asked[0].messages]
    assert any("I am Tom." in text for text in said)
    assert any("Mira lives in Lisbon." in text for text in said)


async def test_an_analysis_does_not_wait_for_the_search_to_know_what_was_said_last(make_room: Rooms) -> None:
    model = Thinker()
    room = make_room(model, memory=Shelf(turns=[row(41, "I am Tom.")]))

    await think(room)

    assert room.memory.listed == 1
    assert "I am Tom." in model.asked[0].messages[-1].content


async def test_a_search_that_fails_leaves_the_sessions_turns(make_room: Rooms) -> None:
    class WithoutVectors(Shelf):
        async def recall(self, request: Recall) -> Recalled:
            raise Transient("Qdrant is not reachable")

    room = make_room(Parrot(), memory=WithoutVectors(turns=[row(41, "I am Tom.")]))

    await room.hand_in(42, "Where does Mira live?")

    assert degraded(room, "t42") == ["memory"]
    assert any("I am Tom." in message.content for message in room.model.asked[0].messages)


async def test_a_memory_that_does_not_answer_is_waited_for_once(make_room: Rooms) -> None:
    class Hanging(Shelf):
        async def recall(self, request: Recall) -> Recalled:
            raise NoAnswer("no answer to index.recall in time")

    room = make_room(Parrot(), memory=Hanging(turns=[row(41, "I am Tom.")]))

    saved = await room.hand_in(42, "Where does Mira live?")

    assert isinstance(saved, TurnSaved)
    assert degraded(room, "t42") == ["memory"]
    assert room.memory.listed == 0


def test_what_several_searches_found_is_there_once_with_its_best_score() -> None:
    weak, strong, other = passage(7, "bees", score=0.2), passage(7, "bees", score=0.9), passage(8, "honey")

    assert joined([[weak], [other, strong]]) == [strong, other]
