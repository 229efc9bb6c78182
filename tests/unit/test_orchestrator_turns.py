"""The life of a turn through its phases, whatever happens on the way."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Refused, Transient
from shared.events import TurnCancelled, TurnFailed, TurnSaved
from shared.replies import Generate, Generated, GetDocument, GetTurn
from tests.unit.orchestrator_room import Parrot, Room, Shelf, generated
from tests.unit.samples import hit


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "turns", Shelf(), Parrot())


def broken(tmp_path: Path, error: Exception, **more: Any) -> Room:
    """A room whose model raises."""

    def act(request: Generate) -> Generated | None:
        raise error

    return Room(tmp_path / "turns", Shelf(), Parrot(act), **more)


async def test_a_turn_is_answered_written_down_and_told(room: Room) -> None:
    saved = await room.hand_in(7, "Where does Mira live?")

    assert isinstance(saved, TurnSaved)
    assert (saved.turn_number, saved.turn_dir, saved.output) == (7, "turn_000007", "Where does Mira live?")
    assert (await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))).output == saved.output


async def test_the_live_events_of_a_turn_are_counted_without_a_gap(room: Room) -> None:
    """The engine takes two of the indexes for its text."""
    saved = await room.hand_in(7)

    assert isinstance(saved, TurnSaved)
    events = room.announced.events["t7"]
    text = range(room.model.asked[0].first_index, room.model.asked[0].first_index + 2)
    assert sorted([*events, *text]) == list(range(saved.last_index + 1))
    assert room.announced.of("t7") == [
        "turn.queued",
        "phase.started",
        "turn.sources",
        "phase.ended",
        "phase.started",
        "phase.ended",
        "phase.started",
        "phase.ended",
        "turn.saved",
    ]


async def test_a_turn_sees_the_one_before_it_though_it_is_not_indexed_yet(room: Room) -> None:
    await room.hand_in(1, "My sister Mira lives in Lisbon.")
    await room.hand_in(2, "Where?")
    await room.hand_in(3, "Elsewhere?", session_id="garden")

    prompts = [[message.content for message in asked.messages[1:]] for asked in room.model.asked]
    told = "My sister Mira lives in Lisbon."
    assert prompts == [[told], [told, told, "Where?"], ["Elsewhere?"]]


async def test_a_redelivered_turn_tells_the_same_and_is_not_answered_again(room: Room) -> None:
    first = await room.hand_in(7)

    again = await room.hand_in(7, attempt=2)

    assert again == first
    assert again.message_id == first.message_id
    assert len(room.model.asked) == 1


async def test_what_memory_found_is_put_before_the_model_and_named_as_the_source(tmp_path: Path) -> None:
    room = Room(tmp_path / "turns", Shelf([hit(3, "Mira lives in Lisbon.")]), Parrot())

    saved = await room.hand_in(7, "Where does Mira live?")

    assert isinstance(saved, TurnSaved)
    assert [source.turn_number for source in saved.sources] == [3]
    assert "Mira lives in Lisbon." in room.model.asked[0].messages[-1].content


async def test_a_turn_is_answered_also_while_memory_is_away(tmp_path: Path) -> None:
    room = Room(tmp_path / "turns", Shelf(away=True), Parrot())

    saved = await room.hand_in(7)

    assert isinstance(saved, TurnSaved)
    document = await room.archive.get_document(GetDocument(user="alice", turn_id="t7", name="context.md"))
    assert "Memory could not be asked" in document.text


async def test_a_recipe_that_nobody_knows_fails_and_names_the_known_ones(room: Room) -> None:
    failed = await room.hand_in(7, recipe="soup")

    assert isinstance(failed, TurnFailed)
    assert failed.reason == "unknown_recipe"
    assert "direct" in failed.detail
    assert room.announced.of("t7")[-1] == "turn.failed"


async def test_a_refused_turn_fails_with_the_reason_and_is_written_down(tmp_path: Path) -> None:
    room = broken(tmp_path, Refused(422, "the prompt is too long"))

    failed = await room.hand_in(7)

    assert isinstance(failed, TurnFailed)
    assert (failed.reason, failed.detail) == ("refused", "the prompt is too long")
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert (record.status, record.error) == ("failed", "refused: the prompt is too long")
    assert await room.hand_in(7, attempt=2) == failed, "also when it comes again"


async def test_a_turn_that_takes_too_long_fails(tmp_path: Path) -> None:
    class Silent(Parrot):
        async def generate(self, request: Generate) -> Generated:
            return await asyncio.Future[Generated]()

    room = Room(tmp_path / "turns", Shelf(), Silent(), timeout=0.01)

    failed = await room.hand_in(7)

    assert isinstance(failed, TurnFailed)
    assert failed.reason == "timeout"


async def test_an_engine_that_is_away_is_waited_for_and_the_last_attempt_fails_in_the_open(
    tmp_path: Path,
) -> None:
    room = broken(tmp_path, Transient("no engine"))

    with pytest.raises(Transient, match="no engine"):
        await room.hand_in(7)
    failed = await room.hand_in(7, attempt=2, is_last=True)

    assert isinstance(failed, TurnFailed)
    assert (failed.reason, failed.detail) == ("unavailable", "no engine")
    assert "output.restarted" in room.announced.of("t7")
    assert room.announced.of("t7")[-1] == "turn.failed"
    assert sorted(room.announced.events["t7"]) == list(range(len(room.announced.events["t7"])))


async def test_a_turn_whose_generation_was_stopped_is_cancelled_and_keeps_what_was_said(
    tmp_path: Path,
) -> None:
    model = Parrot(lambda request: generated(request, text="In Lis", finish_reason="abort"))
    room = Room(tmp_path / "turns", Shelf(), model)

    cancelled = await room.hand_in(7)

    assert isinstance(cancelled, TurnCancelled)
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert (record.status, record.output) == ("cancelled", "In Lis")
    assert room.announced.of("t7")[-1] == "turn.cancelled"


async def test_many_turns_of_many_sessions_are_each_answered_once(room: Room) -> None:
    outcomes = await asyncio.gather(
        *(room.hand_in(number, f"Number {number}", session_id=f"s{number % 5}") for number in range(1, 41))
    )

    saved = [outcome for outcome in outcomes if isinstance(outcome, TurnSaved)]
    assert sorted(event.turn_number for event in saved) == list(range(1, 41))
    assert all(event.output == f"Number {event.turn_number}" for event in saved)
