"""Tool calls that a person has to allow."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from prometheus_client import REGISTRY

from services.orchestrator.tools.tool import Caller, Tool, make_tool
from shared.contract.errors import Refused
from shared.contract.events import ToolWaiting, TurnCancelled, TurnSaved
from shared.contract.requests import Control, FindUnended, UnendedTurn
from tests.unit.orchestrator.orchestrator_room import Room
from tests.unit.orchestrator.pipeline.pipeline_room import (
    Halt,
    Halting,
    Rooms,
    Texts,
    Thinker,
    halting_tool,
    record_of,
    think,
)


def asking(act: Callable[[str], str] = str) -> Tool:
    """A tool that a person has to allow."""

    async def run(arguments: Texts, caller: Caller) -> str:
        return act(arguments.text)

    return make_tool("memory.remove", "Removes it.", "write", Texts, run, approval=True)


REMOVE: dict[str, Any] = {"calls": [{"id": "a", "tool": "memory.remove", "arguments": {"text": "notes"}}]}


async def until_it_waits(room: Room, number: int = 42) -> ToolWaiting:
    async with asyncio.timeout(5):
        while True:
            events = room.announced.events.get(f"t{number}", {}).values()
            found = [event for event in events if isinstance(event, ToolWaiting)]
            if found and (await unended(room, number)).status == "waiting":
                return found[-1]
            await asyncio.sleep(0.001)


async def unended(room: Room, number: int = 42) -> UnendedTurn:
    return await room.turns.find_unended(FindUnended(user="alice", turn_id=f"t{number}"))


@pytest.mark.parametrize(("action", "done"), [("approve", ["notes"]), ("deny", [])])
async def test_a_turn_waits_for_a_person(
    make_room: Rooms, action: Literal["approve", "deny"], done: list[str]
) -> None:
    removed: list[str] = []
    model = Thinker(Plan=REMOVE)

    def remove(text: str) -> str:
        removed.append(text)
        return "removed"

    room = make_room(model, tools=[asking(remove)])
    ended = asyncio.create_task(think(room))

    asked = await until_it_waits(room)
    answered = await room.controls.control(
        Control(user="alice", turn_id="t42", action=action, call=asked.key)
    )
    saved = await ended

    assert isinstance(saved, TurnSaved)
    assert (asked.tool, asked.arguments, asked.key) == ("memory.remove", {"text": "notes"}, "1.a")
    assert (answered.found, answered.done, answered.calls) == ("waiting", True, ["1.a"])
    assert removed == done
    told = next(request for request in model.asked if request.role == "VOICE").messages[-1].content
    assert ("The user did not allow it." in told) == (action == "deny")


@pytest.mark.parametrize(("action", "name"), [("approve", "approved"), ("deny", "denied")])
async def test_what_a_person_says_is_counted_for_each_call(
    make_room: Rooms, action: Literal["approve", "deny"], name: str
) -> None:
    both = {"calls": [{**REMOVE["calls"][0], "id": one} for one in ("a", "b")]}
    room, before = make_room(Thinker(Plan=both), tools=[asking()]), counted(name)
    ended = asyncio.create_task(think(room))

    await until_it_waits(room)
    answered = await room.controls.control(Control(user="alice", turn_id="t42", action=action))
    await ended

    assert answered.calls == ["1.a", "1.b"]
    assert counted(name) == before + 2


def counted(answer: str) -> float:
    return REGISTRY.get_sample_value("pandora_approval_answers_total", {"answer": answer}) or 0.0


async def test_nobody_allows_it_in_time(make_room: Rooms) -> None:
    model = Thinker(Plan=REMOVE)
    room, before = make_room(model, tools=[asking()], approval_seconds=0.05), counted("unanswered")

    assert isinstance(await think(room), TurnSaved)

    assert counted("unanswered") == before + 1

    told = next(request for request in model.asked if request.role == "VOICE").messages[-1].content
    assert "Nobody allowed it within 0.05 seconds." in told


async def test_waiting_for_a_person_is_no_time_of_the_phase(make_room: Rooms) -> None:
    room = make_room(Thinker(Plan=REMOVE), tools=[asking()], timeout=0.2, clock=lambda: datetime.now(UTC))
    ended = asyncio.create_task(think(room))

    await until_it_waits(room)
    await asyncio.sleep(0.4)
    await room.controls.control(Control(user="alice", turn_id="t42", action="approve"))

    assert isinstance(await ended, TurnSaved)


async def test_who_takes_the_turn_over_waits_on(make_room: Rooms) -> None:
    room = make_room(Thinker(Plan=REMOVE), tools=[asking()])
    ended = asyncio.create_task(think(room))
    await until_it_waits(room)

    second = room.second()
    await room.first.stop(0.05)
    async with asyncio.timeout(5):
        while (run := second.run_of("t42")) is None or not run.turn.approval.asked:  # noqa: ASYNC110  # a run has no event for it
            await asyncio.sleep(0.001)
    await until_it_waits(room)
    assert (await run.decide("", True)).calls == ["1.a"]

    saved = await ended
    assert isinstance(saved, TurnSaved)
    assert (await record_of(room)).attempt == 2
    assert not (await record_of(room)).notes


async def test_who_stops_keeps_nothing_that_only_waits(make_room: Rooms) -> None:
    halt = Halt("synthesis")
    room = make_room(Halting(halt, Plan=REMOVE), tools=[asking()])
    waits = asyncio.create_task(think(room))
    await until_it_waits(room)
    works = asyncio.create_task(room.hand_in(43, session_id="s2"))
    await halt.until_in(room, 43)

    second = room.second()
    stopped = asyncio.create_task(room.first.stop(600.0))
    async with asyncio.timeout(5):
        while second.run_of("t42") is None:  # noqa: ASYNC110  # a run has no event for it
            await asyncio.sleep(0.001)

    assert not stopped.done()
    assert room.first.run_of("t43") is not None, "what is at work has its time"
    halt.go_on.set()
    assert isinstance(await works, TurnSaved)
    await stopped
    run = second.run_of("t42")
    assert run is not None
    assert (await run.decide("", True)).calls == ["1.a"]
    assert isinstance(await waits, TurnSaved)


async def test_who_stops_lets_a_tool_end_that_works_beside_a_question(make_room: Rooms) -> None:
    halt, called = Halt("coordinate"), list[str]()
    beside = {"id": "b", "tool": "memory.save", "arguments": {"text": "milk"}}
    plan = {"calls": [*REMOVE["calls"], beside]}
    room = make_room(Thinker(Plan=plan), tools=[asking(), halting_tool("memory.save", halt, called)])
    ended = asyncio.create_task(think(room))
    await until_it_waits(room)
    await halt.until_in(room)

    stopped = asyncio.create_task(room.first.stop(600.0))
    await asyncio.sleep(0.3)
    run = room.first.run_of("t42")
    assert run is not None
    assert run.state.stop is None
    assert called == ["milk"]

    halt.go_on.set()
    async with asyncio.timeout(5):
        await stopped
    assert run.state.stop == "handed_back"
    ended.cancel()


@pytest.mark.parametrize(("call", "found"), [("9.z", "no tool call 9.z waits"), ("", "no tool call waits")])
async def test_nothing_is_allowed_that_does_not_wait(make_room: Rooms, call: str, found: str) -> None:
    room = make_room(Thinker(Plan=REMOVE), tools=[asking()])
    ended = asyncio.create_task(think(room))
    await until_it_waits(room)
    if not call:
        await room.controls.control(Control(user="alice", turn_id="t42", action="deny"))
        await ended

    with pytest.raises(Refused, match=found) as refused:
        await room.controls.control(Control(user="alice", turn_id="t42", action="approve", call=call))

    assert refused.value.status == 409


async def test_a_turn_that_waits_can_be_cancelled(make_room: Rooms) -> None:
    room = make_room(Thinker(Plan=REMOVE), tools=[asking()])
    ended = asyncio.create_task(think(room))
    await until_it_waits(room)

    assert (await room.controls.control(Control(user="alice", turn_id="t42", action="cancel"))).done

    assert isinstance(await ended, TurnCancelled)


async def test_a_turn_that_waits_keeps_no_slot(make_room: Rooms) -> None:
    room = make_room(Thinker(Plan=REMOVE), tools=[asking()], concurrency=1)
    waits = asyncio.create_task(think(room))
    await until_it_waits(room)

    async with asyncio.timeout(5):
        other = await room.hand_in(43, session_id="s2")
    assert isinstance(other, TurnSaved)
    assert (await unended(room)).status == "waiting"

    await room.controls.control(Control(user="alice", turn_id="t42", action="approve"))
    assert isinstance(await waits, TurnSaved)


async def test_a_turn_that_is_answered_goes_on_beside_the_one_that_took_its_slot(make_room: Rooms) -> None:
    halt = Halt("synthesis")
    room = make_room(Halting(halt, Plan=REMOVE), tools=[asking()], concurrency=1)
    waits = asyncio.create_task(think(room))
    await until_it_waits(room)
    other = asyncio.create_task(room.hand_in(43, session_id="s2"))
    await halt.until_in(room, 43)
    third = asyncio.create_task(room.hand_in(44, session_id="s3"))

    await room.controls.control(Control(user="alice", turn_id="t42", action="approve"))

    assert isinstance(await waits, TurnSaved)
    assert "t44" not in room.announced.events
    halt.go_on.set()
    assert isinstance(await other, TurnSaved)
    assert isinstance(await third, TurnSaved)
