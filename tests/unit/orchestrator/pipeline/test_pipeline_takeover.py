"""Turns that change hands in each phase of the pipeline: whoever goes on begins in that phase."""

import asyncio
from typing import Any, Literal

import pytest

from services.orchestrator.recipes.recipe import ORDER, PhaseName
from shared.contract.errors import Transient
from shared.contract.events import OutputRestarted, TurnSaved, output_of
from tests.unit.orchestrator.orchestrator_room import Room
from tests.unit.orchestrator.pipeline.halting_room import CALLS, SAID, Way, halting_room, hand_over
from tests.unit.orchestrator.pipeline.pipeline_room import (
    APPROVE,
    Halt,
    Halting,
    Rooms,
    Thinker,
    document_of,
    events_of,
    phases_of,
    recipe,
    record_of,
    think,
)

KITCHEN = ("alice", "kitchen")
SHOWN = ["a"]
WHERE: list[PhaseName] = [phase for phase in ORDER if phase != "save"]
ASKING: list[PhaseName] = [phase for phase in WHERE if phase not in ("gather", "coordinate")]


@pytest.mark.parametrize("hold_back", [False, True])
@pytest.mark.parametrize("way", ["stopped", "dead"])
@pytest.mark.parametrize("phase", WHERE)
async def test_a_turn_goes_on_in_the_phase_in_which_it_changed_hands(
    make_room: Rooms, phase: PhaseName, way: Way, hold_back: bool
) -> None:
    halt, called = Halt(phase), list[str]()
    rules = recipe("hold_back = true" if hold_back else "")
    room, first = halting_room(make_room, halt, called=called, rules=rules)
    second = Thinker(Plan=CALLS)
    ended = asyncio.create_task(think(room, said=SAID, images=SHOWN))
    await halt.until_in(room)

    await change_hands(room, second, phase, way, images=SHOWN)

    saved = await asyncio.wait_for(ended, 5)
    halt.go_on.set()  # A zombie comes back.
    await until_idle(room)
    assert isinstance(saved, TurnSaved)
    assert saved.output == "In Lisbon [turn 7]."
    assert [request.phase for request in first.asked] == upto(phase)
    assert [request.phase for request in second.asked] == onwards(phase)
    assert len(called) == (2 if phase == "coordinate" else 1), "a call that was cut off is made again"
    assert room.memory.asked == (4 if phase in ("analysis", "gate") else 3), "what memory said is kept"
    record = await record_of(room)
    assert [timing.phase for timing in record.phases] == WHERE
    assert [timing.calls for timing in record.phases] == [int(one in ASKING) for one in WHERE]
    assert (record.attempt, record.notes) == (2, [])
    events = events_of(room)
    assert [event.index for event in events] == list(range(len(events)))
    assert {one for one in ORDER if phases_of(room).count(one) > 1} == {phase}
    assert output_of(events) == saved.output
    assert events[-1].type == "turn.saved"
    assert room.office.told == 1


async def test_a_turn_that_changes_hands_in_every_phase_is_thought_once(make_room: Rooms) -> None:
    halt, called = Halt(WHERE[0]), list[str]()
    room, model = halting_room(make_room, halt, called=called)
    ended = asyncio.create_task(think(room, said=SAID, images=SHOWN))
    holder = room.first

    for phase in [*WHERE[1:], "nowhere"]:
        await halt.until_in(room)
        halt.phase = phase
        halt.reached.clear()
        after = room.second()
        room.put(after, 42, SAID, recipe="standard", images=SHOWN).close()
        await holder.stop(within=0.05)
        holder = after

    assert isinstance(await asyncio.wait_for(ended, 5), TurnSaved)
    assert [request.phase for request in model.asked] == sorted([*ASKING, *ASKING], key=ORDER.index)
    assert len(called) == 2
    record = await record_of(room)
    assert [timing.phase for timing in record.phases] == WHERE
    assert record.attempt == 1 + len(WHERE)
    events = events_of(room)
    assert [event.index for event in events] == list(range(len(events)))
    assert output_of(events) == record.output


@pytest.mark.parametrize("way", ["stopped", "dead", "away"])
async def test_an_answer_that_is_held_back_is_kept_while_it_is_checked(
    make_room: Rooms, way: Literal["stopped", "dead", "away"]
) -> None:
    """No reader has seen it: it stands nowhere but in the turn."""
    halt = Halt("validation")
    second = Thinker()
    first = (
        Thinker(Verdict=[Transient("away", retry_in=0.01), APPROVE])
        if way == "away"
        else Halting(halt)
    )  # fmt: skip
    room = make_room(first, recipe=recipe("hold_back = true"))
    ended = asyncio.create_task(think(room, said=SAID))

    if way != "away":
        await halt.until_in(room)
        await change_hands(room, second, "validation", way, done=5)

    saved = await asyncio.wait_for(ended, 5)
    asked = [request for request in [*first.asked, *second.asked] if request.phase == "validation"]
    assert isinstance(saved, TurnSaved)
    assert saved.output == output_of(events_of(room)) == "In Lisbon [turn 7]."
    assert len(asked) == 2
    assert asked[0].messages == asked[1].messages


@pytest.mark.parametrize("way", ["stopped", "dead", "away"])
async def test_a_revision_that_is_cut_off_begins_again_from_the_first_answer(
    make_room: Rooms, way: Literal["stopped", "dead", "away"]
) -> None:
    revise = {"decision": "revise", "reasons": ["It says Rome."]}
    halt = Halt("nowhere")
    answers = ["In Rome.", Transient("away", retry_in=0.01), "In Lisbon."]
    first = Halting(halt, Verdict=[revise, APPROVE], Answer=answers if way == "away" else "In Rome.")
    second = Thinker(Verdict=APPROVE, Answer="In Lisbon.")
    room = make_room(first)
    emit = room.announced.emit

    async def watch(turn_id: str, event: object) -> None:
        if isinstance(event, OutputRestarted) and event.attempt == 1:
            halt.phase = "synthesis"  # The second one.
        await emit(turn_id, event)  # type: ignore[arg-type]

    room.announced.emit = watch  # type: ignore[method-assign]
    if way == "away":
        halt.go_on.set()
    ended = asyncio.create_task(think(room, said=SAID))

    if way != "away":
        await halt.until_in(room)
        await change_hands(room, second, "synthesis", way, done=6)

    saved = await asyncio.wait_for(ended, 5)
    revisions = [one for one in [*first.asked, *second.asked] if one.phase == "synthesis"][1:]
    assert isinstance(saved, TurnSaved)
    assert saved.output == output_of(events_of(room)) == "In Lisbon."
    assert len(revisions) == 2
    assert revisions[0].messages == revisions[1].messages
    assert "> In Rome." not in await document_of(room)


async def change_hands(
    room: Room, model: Thinker, phase: PhaseName, way: Way, done: int | None = None, **more: Any
) -> None:
    """An orchestrator that dies has kept what is behind `done` phases: all before this one."""
    if way == "dead":
        await until_kept(room, WHERE.index(phase) if done is None else done)
    await hand_over(room, model, way, **more)


async def until_kept(room: Room, phases: int) -> None:
    """Until the checkpoint behind so many phases is made."""
    async with asyncio.timeout(5):
        while phases and ((turn := room.saved()) is None or len(turn.phases) < phases):  # noqa: ASYNC110  # a lease has no event for it
            await asyncio.sleep(0.001)


async def until_idle(room: Room) -> None:
    """Until the first orchestrator has done what it still does, and the lease is free."""
    async with asyncio.timeout(5):
        while room.first.run_of("t42") is not None or room.lease_of().state != "free":  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.001)


def upto(phase: PhaseName) -> list[PhaseName]:
    return [one for one in ASKING if WHERE.index(one) <= WHERE.index(phase)]


def onwards(phase: PhaseName) -> list[PhaseName]:
    return [one for one in ASKING if WHERE.index(one) >= WHERE.index(phase)]
