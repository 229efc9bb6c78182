"""Words that are added to a running turn: each is heard where the reply says, or refused; none is lost."""

import asyncio
from typing import Any

import pytest

from services.orchestrator.recipes.recipe import PHASES, PhaseName
from shared.contract.errors import Refused, Transient
from shared.contract.events import PhaseStarted, Steered, TurnSaved
from shared.contract.requests import Control, Controlled, Generate
from tests.unit.orchestrator.orchestrator_room import Room
from tests.unit.orchestrator.pipeline.halting_room import CALLS, SAID, Way, halting_room, hand_over
from tests.unit.orchestrator.pipeline.pipeline_room import (
    DONE,
    LOOKUP,
    Halt,
    Halting,
    HaltingShelf,
    Rooms,
    Thinker,
    document_of,
    events_of,
    phases_of,
    recipe,
    record_of,
    think,
)
from tests.unit.orchestrator.turns.test_approvals import REMOVE, asking, until_it_waits
from tests.unit.samples import passage

ADDED = "And in which street?"
STEER = Control(user="alice", turn_id="t42", action="steer", text=ADDED)
ROUNDS = [CALLS | {"is_done": False}, DONE]
ASK_BACK = {"decision": "ask_back", "text": "Whom do you mean?"}
HEARD: dict[PhaseName, PhaseName | None] = {
    "analysis": "gate",
    "gate": "plan",
    "gather": "plan",
    "plan": "synthesis",
    "coordinate": "synthesis",
    "synthesis": None,
    "validation": None,
}
"""By the phase that runs when it is said."""


async def steer(room: Room) -> Controlled | None:
    """None where it is refused as too late, or too early."""
    try:
        return await room.controls.control(STEER)
    except Refused as refusal:
        if refusal.status != 409:
            raise
        return None


def hearing(asked: list[Generate]) -> list[str]:
    """The phases whose prompts held it, in order."""
    return [request.phase for request in asked if ADDED in request.messages[-1].content]


@pytest.mark.parametrize("phase", HEARD)
async def test_what_is_said_in_a_phase_is_heard_by_the_one_that_is_named(
    make_room: Rooms, phase: PhaseName
) -> None:
    halt = Halt(phase)
    room, model = halting_room(make_room, halt)
    ended = asyncio.create_task(think(room, said=SAID))
    await halt.until_in(room)

    answered = await steer(room)
    halt.go_on.set()

    assert isinstance(await asyncio.wait_for(ended, 5), TurnSaved)
    first = HEARD[phase]
    steered = [event for event in events_of(room) if isinstance(event, Steered)]
    if first is None:
        assert answered is None
        assert [*hearing(model.asked), *steered, *(await record_of(room)).steering] == []
        return
    assert answered is not None
    assert (answered.phase, answered.takes_effect, answered.done) == (phase, first, True)
    assert [(event.text, event.takes_effect) for event in steered] == [(ADDED, first)]
    behind = [one for one in ("gate", "plan", "synthesis", "validation") if later(one, first)]
    assert hearing(model.asked) == behind, "all that come later hear it as well"
    assert (await record_of(room)).steering == [ADDED]
    assert ADDED in await document_of(room)


@pytest.mark.parametrize(
    "thoughts",
    [
        {"Plan": DONE},
        {"Plan": ROUNDS},
        {"Analysis": {"needs_tools": False}},
        {"Gate": ASK_BACK},
        {"Gate": {"decision": "answer_now"}},
        {"Gate": {"decision": "answer_now"}, "Analysis": {"needs_tools": False}},
    ],
)
async def test_whenever_it_is_said_it_is_heard_as_promised_or_refused(
    make_room: Rooms, thoughts: dict[str, Any]
) -> None:
    """At each event of a turn, one turn after the other: nothing is left between two phases."""
    spoken, heard, at = True, 0, 0
    while spoken:
        model = Thinker(**thoughts)
        room = make_room(model)
        spoken, answered = await think_and_steer_at(room, at)
        steered = [event for event in events_of(room) if isinstance(event, Steered)]
        found = hearing(model.asked)
        if answered is None:
            assert [*found, *steered, *(await record_of(room)).steering] == [], at
            assert not spoken or is_answering(room, at), at
        else:
            heard += 1
            assert found[0] == steered[0].takes_effect, at
            assert answered.takes_effect in (found[0], "synthesis" if found[0] == "plan" else None), at
            assert answered.takes_effect in found, at
            assert (len(steered), (await record_of(room)).steering) == (1, [ADDED]), at
        at += 1

    assert heard >= 4
    assert at >= 8


async def think_and_steer_at(room: Room, index: int) -> tuple[bool, Controlled | None]:
    """Whether the turn had so many events, and what the orchestrator said."""
    emit, answers = room.announced.emit, list[Controlled | None]()

    async def emit_and_steer(turn_id: str, event: Any) -> None:
        await emit(turn_id, event)
        if event.index == index and not answers:
            answers.append(await steer(room))

    room.announced.emit = emit_and_steer  # type: ignore[method-assign]
    assert isinstance(await asyncio.wait_for(think(room, said=SAID), 5), TurnSaved)
    return bool(answers), answers[0] if answers else None


def is_answering(room: Room, index: int) -> bool:
    """Behind the event of this index the answer is given, by its phase or, at once, by the gate."""
    events = events_of(room)[: index + 1]
    started = [event.phase for event in events if isinstance(event, PhaseStarted)]
    is_past_the_gate = any(event.type == "phase.ended" and event.phase == "gate" for event in events)
    return (
        started[-1] in ("synthesis", "validation")
        or any(event.type == "output.delta" for event in events)
        or (is_past_the_gate and "plan" not in phases_of(room))
    )


@pytest.mark.parametrize("gate", [ASK_BACK, {"decision": "answer_now"}])
async def test_a_gate_that_has_not_heard_all_does_not_answer(make_room: Rooms, gate: dict[str, Any]) -> None:
    halt = Halt("gate")
    room, model = halting_room(make_room, halt, Gate=gate)
    ended = asyncio.create_task(think(room, said=SAID))
    await halt.until_in(room)

    answered = await steer(room)
    halt.go_on.set()
    saved = await asyncio.wait_for(ended, 5)

    assert answered is not None
    assert answered.takes_effect == "plan"
    assert isinstance(saved, TurnSaved)
    assert saved.output == "In Lisbon [turn 7]."
    assert hearing(model.asked) == ["plan", "synthesis", "validation"]
    assert "more was said while this was decided" in await document_of(room)


async def test_a_plan_is_made_where_more_was_said_than_the_analysis_knew(make_room: Rooms) -> None:
    halt = Halt("gate")
    room, model = halting_room(make_room, halt, Analysis={"needs_tools": False})
    ended = asyncio.create_task(think(room, said="Hi"))
    await halt.until_in(room)

    answered = await steer(room)
    halt.go_on.set()
    await asyncio.wait_for(ended, 5)

    assert answered is not None
    assert answered.takes_effect == "plan"
    assert hearing(model.asked)[0] == "plan"
    assert "coordinate" in phases_of(room)


@pytest.mark.parametrize("way", ["stopped", "dead"])
@pytest.mark.parametrize("phase", [phase for phase, first in HEARD.items() if first is not None])
async def test_what_was_acknowledged_is_heard_by_whoever_takes_the_turn_over(
    make_room: Rooms, phase: PhaseName, way: Way
) -> None:
    halt = Halt(phase)
    room, first = halting_room(make_room, halt)
    ended = asyncio.create_task(think(room, said=SAID))
    await halt.until_in(room)

    assert await steer(room) is not None
    if way == "dead":
        await settled(room)  # A checkpoint that is made behind it does not forget it.
    second = Thinker(Plan=CALLS)
    await hand_over(room, second, way)

    assert isinstance(await asyncio.wait_for(ended, 5), TurnSaved)
    behind = [one for one in ("analysis", "gate", "plan", "synthesis", "validation") if later(one, phase)]
    assert hearing(first.asked) == []
    assert hearing(second.asked) == behind, "the phase that was cut off hears it as well"
    assert (await record_of(room)).steering == [ADDED]
    assert sum(isinstance(event, Steered) for event in events_of(room)) == 1


async def test_what_was_said_while_a_tool_waits_for_a_person_outlives_the_process(make_room: Rooms) -> None:
    halt = Halt("synthesis")
    room, _ = halting_room(make_room, halt, [asking()], Plan=REMOVE)
    ended = asyncio.create_task(think(room, said=SAID))
    await until_it_waits(room)

    answered = await steer(room)
    await room.controls.control(Control(user="alice", turn_id="t42", action="approve"))
    await halt.until_in(room)
    second = Thinker(Plan=REMOVE)
    await hand_over(room, second, "dead")

    assert isinstance(await asyncio.wait_for(ended, 5), TurnSaved)
    assert answered is not None
    assert hearing(second.asked) == ["synthesis", "validation"]


async def test_an_engine_that_comes_back_hears_what_was_said_meanwhile(make_room: Rooms) -> None:
    model = Thinker(Gate=[Transient("away", retry_in=0.05), {"decision": "proceed"}])
    room = make_room(model)
    ended = asyncio.create_task(think(room, said=SAID))
    async with asyncio.timeout(5):
        while (run := room.first.run_of("t42")) is None or run.turn.failures == 0:  # noqa: ASYNC110  # a run has no event for it
            await asyncio.sleep(0.001)

    answered = await steer(room)

    assert isinstance(await asyncio.wait_for(ended, 5), TurnSaved)
    assert answered is not None
    assert (answered.phase, answered.takes_effect) == (None, "gate")
    assert hearing(model.asked) == ["gate", "plan", "synthesis", "validation"]


async def test_a_cancelled_turn_keeps_what_was_said_last(make_room: Rooms) -> None:
    halt = Halt("plan")
    room, _ = halting_room(make_room, halt)
    ended = asyncio.create_task(think(room, said=SAID))
    await halt.until_in(room)

    await steer(room)
    await room.controls.control(Control(user="alice", turn_id="t42", action="cancel"))
    await asyncio.wait_for(ended, 5)

    assert (await record_of(room)).steering == [ADDED]


async def test_what_nerves_compress_is_what_bears_on_all_that_was_said(make_room: Rooms) -> None:
    halt = Halt("gate")
    model = Halting(halt)
    many = [passage(number, f"Mira said {number}.", score=1 - number / 100) for number in range(1, 9)]
    memory = HaltingShelf(halt, many)
    rules = recipe("compress = true\nbudget.context_passages = 2")
    room = make_room(model, memory=memory, recipe=rules, tools=[LOOKUP])
    ended = asyncio.create_task(think(room, said=SAID))
    await halt.until_in(room)

    await steer(room)
    halt.go_on.set()
    await asyncio.wait_for(ended, 5)

    assert hearing(model.asked) == ["gather", "plan", "synthesis", "validation"]


def later(phase: str, than: PhaseName) -> bool:
    """Or the same."""
    return PHASES.index(phase) >= PHASES.index(than)


async def settled(room: Room) -> None:
    """Until the checkpoint that a phase leaves for a moment later is made, or would have been."""
    revision = room.leases.stored["alice", "kitchen"].revision
    for _ in range(25):
        if room.leases.stored["alice", "kitchen"].revision != revision:
            return
        await asyncio.sleep(0.01)
