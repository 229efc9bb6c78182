"""The life of a turn through its phases, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.orchestrator.running.run import TurnRun
from shared.contract.errors import Refused, Transient
from shared.contract.events import Paused, SourcesFound, TurnCancelled, TurnFailed, TurnSaved
from shared.contract.requests import Control, Generate, Generated, GetDocument, GetTurn
from tests.unit.orchestrator.orchestrator_room import Parrot, Room, Shelf, Talker, generated
from tests.unit.samples import passage


class Rooms:
    """Makes rooms in one folder, and closes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Room] = []

    def room(self, memory: Shelf | None = None, model: Parrot | None = None, **more: Any) -> Room:
        self._made.append(Room(self._folder, memory or Shelf(), model or Parrot(), **more))
        return self._made[-1]

    def broken(self, *errors: Exception) -> Room:
        """A room whose model raises these, one after another, and then answers."""
        left = list(errors)

        def act(request: Generate) -> Generated | None:
            if left:
                raise left.pop(0)
            return None

        return self.room(model=Parrot(act))

    async def close(self) -> None:
        for room in self._made:
            await room.close()


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    rooms = Rooms(tmp_path / "turns")
    yield rooms
    await rooms.close()


@pytest.fixture
async def room(rooms: Rooms) -> Room:
    return rooms.room()


async def test_a_turn_is_answered_written_down_and_told(room: Room) -> None:
    saved = await room.hand_in(7, "Where does Mira live?")

    assert isinstance(saved, TurnSaved)
    assert (saved.turn_number, saved.turn_dir, saved.output) == (
        7,
        "000/turn_000007",
        "Where does Mira live?",
    )
    assert (await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))).output == saved.output


async def test_the_live_events_of_a_turn_are_counted_without_a_gap(room: Room) -> None:
    """The engine takes two of the indexes for its text."""
    saved = await room.hand_in(7)

    assert isinstance(saved, TurnSaved)
    await asyncio.sleep(0)
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
        "turn.saved",
    ]


async def test_a_turn_sees_the_one_before_it_though_it_is_not_indexed_yet(room: Room) -> None:
    await room.hand_in(1, "My sister Mira lives in Lisbon.")
    await room.hand_in(2, "Where?")
    await room.hand_in(3, "Elsewhere?", session_id="garden")

    prompts = [[message.content for message in asked.messages[1:]] for asked in room.model.asked]
    told = "My sister Mira lives in Lisbon."
    assert prompts == [[told], [told, told, "Where?"], ["Elsewhere?"]]


async def until_free(room: Room) -> None:
    async with asyncio.timeout(10):
        while room.first.run_of("t42") is not None:  # noqa: ASYNC110  # a run has no event for it
            await asyncio.sleep(0.01)


async def test_a_cancel_that_meets_the_end_of_its_turn_finds_it_ended(rooms: Rooms) -> None:
    """A run that is over is still listed for a moment, while it is let go."""
    runs: list[TurnRun | None] = []

    def act(request: Generate) -> None:
        runs.append(asked.first.run_of("t42"))

    asked = rooms.room(model=Parrot(act))
    await asked.hand_in(42)
    await until_free(asked)
    (run,) = runs
    assert run is not None
    asked.first._runs["t42"] = run
    asyncio.get_running_loop().call_later(0.1, asked.first._runs.pop, "t42")

    found = await asked.controls.control(Control(user="alice", turn_id="t42", action="cancel"))

    assert (found.found, found.done) == ("saved", False)


async def test_a_turn_that_is_asked_for_again_is_not_answered_again(room: Room) -> None:
    first = await room.hand_in(7)

    room.put(room.first, 8, turn_id="t7").close()
    await room.hand_in(9)

    assert len(room.model.asked) == 2, "turns 7 and 9"
    assert await room.office.of("t7") == first
    assert room.office.told == 2
    assert 8 in room.office.left


async def test_what_memory_found_is_put_before_the_model_and_named_as_the_source(rooms: Rooms) -> None:
    room = rooms.room(Shelf([passage(3, "Mira lives in Lisbon.")]))

    saved = await room.hand_in(7, "Where does Mira live?")

    assert isinstance(saved, TurnSaved)
    assert [source.turn_number for source in saved.sources] == [3]
    assert "Mira lives in Lisbon." in room.model.asked[0].messages[-1].content


async def test_a_turn_is_answered_also_while_memory_is_away(rooms: Rooms) -> None:
    room = rooms.room(Shelf(away=True))

    saved = await room.hand_in(7)

    assert isinstance(saved, TurnSaved)
    document = await room.archive.get_document(GetDocument(user="alice", turn_id="t7", name="context.md"))
    assert "Memory could not be asked" in document.text
    (sources,) = (event for event in room.announced.events["t7"].values() if isinstance(event, SourcesFound))
    assert sources.degraded == ["memory"]


async def test_a_recipe_that_nobody_knows_fails_and_names_the_known_ones(room: Room) -> None:
    failed = await room.hand_in(7, recipe="soup")

    assert isinstance(failed, TurnFailed)
    assert failed.reason == "unknown_recipe"
    assert "direct" in failed.detail
    assert room.announced.of("t7")[-1] == "turn.failed"


async def test_a_refused_turn_fails_with_the_reason_and_is_written_down(rooms: Rooms) -> None:
    room = rooms.broken(Refused(422, "the prompt is too long"))

    failed = await room.hand_in(7)

    assert isinstance(failed, TurnFailed)
    assert (failed.reason, failed.detail) == ("refused", "the prompt is too long")
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert (record.status, record.error) == ("failed", "refused: the prompt is too long")


async def test_a_turn_that_takes_too_long_fails_and_keeps_what_was_said(rooms: Rooms) -> None:
    room = rooms.room(model=Talker(), timeout=0.05)

    failed = await room.hand_in(7)

    assert isinstance(failed, TurnFailed)
    assert failed.reason == "timeout"
    assert failed.detail.startswith("synthesis did not end within 0.05 s (SYNTHESIS_TIMEOUT_SECONDS); 6 char")
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert record.output == "In Lis"


async def test_an_engine_that_is_away_is_waited_for_and_what_it_said_is_void(rooms: Rooms) -> None:
    room = rooms.broken(Transient("no engine", retry_in=0.01), Transient("no engine", retry_in=0.01))

    saved = await room.hand_in(7)

    assert isinstance(saved, TurnSaved)
    await asyncio.sleep(0)
    assert room.announced.of("t7").count("output.restarted") == 2
    assert room.announced.of("t7").count("turn.sources") == 1, "memory is not asked again"
    assert room.model.aborted == ["t7:1", "t7:2"], "nobody goes on for an attempt that is over"
    assert [request.attempt for request in room.model.asked] == [1, 2, 3]


async def test_a_pause_that_a_server_asks_for_is_kept_and_said(rooms: Rooms) -> None:
    room = rooms.broken(Transient("it asks\nto wait", retry_in=2.25))

    saved = await room.hand_in(7)

    assert isinstance(saved, TurnSaved)
    await asyncio.sleep(0)
    [paused] = [event for event in room.announced.events["t7"].values() if isinstance(event, Paused)]
    assert (paused.seconds, paused.reason, paused.attempt) == (2.25, "it asks to wait", 1)
    kinds = room.announced.of("t7")
    assert kinds.index("phase.ended") < kinds.index("turn.paused") < kinds.index("output.restarted")


async def test_a_pause_that_no_turn_may_take_fails_it_at_once(rooms: Rooms) -> None:
    room = rooms.broken(Transient("it asks to wait 1 h", retry_in=3600.0))

    failed = await room.hand_in(7)

    assert isinstance(failed, TurnFailed)
    assert failed.detail.startswith("it asks to wait 1 h; longer than a turn may take (TURN_TIMEOUT_SECONDS=")
    assert len(room.model.asked) == 1


async def test_an_engine_that_stays_away_fails_the_turn_in_the_open(rooms: Rooms) -> None:
    room = rooms.broken(*(Transient("no engine", retry_in=0.0001) for _ in range(20)))

    failed = await room.hand_in(7)

    assert isinstance(failed, TurnFailed)
    assert (failed.reason, failed.detail) == ("unavailable", "no engine")
    assert len(room.model.asked) == 8
    await asyncio.sleep(0)
    assert room.announced.of("t7")[-1] == "turn.failed"
    assert sorted(room.announced.events["t7"]) == list(range(len(room.announced.events["t7"])))


async def test_a_generation_that_somebody_stopped_at_the_engine_cancels_its_turn(rooms: Rooms) -> None:
    model = Parrot(lambda request: generated(request, text="In Lis", finish_reason="abort"))
    room = rooms.room(model=model)

    cancelled = await room.hand_in(7)

    assert isinstance(cancelled, TurnCancelled)
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert (record.status, record.output) == ("cancelled", "In Lis")
    await asyncio.sleep(0)
    assert room.announced.of("t7")[-1] == "turn.cancelled"


async def test_many_turns_of_many_sessions_are_each_answered_once(room: Room) -> None:
    outcomes = await asyncio.gather(
        *(room.hand_in(number, f"Number {number}", session_id=f"s{number % 5}") for number in range(1, 41))
    )

    saved = [outcome for outcome in outcomes if isinstance(outcome, TurnSaved)]
    assert sorted(event.turn_number for event in saved) == list(range(1, 41))
    assert all(event.output == f"Number {event.turn_number}" for event in saved)
