"""Tools that a turn's client offers and runs itself."""

import asyncio
from typing import Any

import pytest

from shared.contract.errors import Refused
from shared.contract.events import ClientTool, ToolEnded, ToolWaiting, TurnCancelled, TurnSaved
from shared.contract.requests import Control, Controlled
from tests.unit.orchestrator.orchestrator_room import Room
from tests.unit.orchestrator.pipeline.pipeline_room import (
    Rooms,
    Thinker,
    events_of,
    recipe,
    record_of,
    think,
    tool,
)
from tests.unit.orchestrator.turns.test_approvals import asking, until_it_waits

TAKES_TOOLS = recipe("client_tools = true")
WEATHER = ClientTool(
    name="get_weather",
    description="Tells the weather of a place.",
    parameters={"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
)


def call(id_: str = "a", name: str = "get_weather", **arguments: Any) -> dict[str, Any]:
    return {"id": id_, "tool": name, "arguments": arguments or {"place": "Lisbon"}}


def plan(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"calls": list(calls)}


def client_room(make_room: Rooms, *plans: dict[str, Any], **more: Any) -> tuple[Room, Thinker]:
    model = Thinker(Plan=[*plans, {"is_done": True}])
    return make_room(model, recipe=more.pop("recipe", TAKES_TOOLS), **more), model


def offering(room: Room, number: int = 42, **more: Any) -> "asyncio.Task[Any]":
    return asyncio.create_task(think(room, number, tools=[WEATHER], **more))


async def control(room: Room, action: Any, key: str = "", text: str = "", number: int = 42) -> Controlled:
    asked = Control(user="alice", turn_id=f"t{number}", action=action, call=key, text=text)
    return await room.controls.control(asked)


def told(model: Thinker) -> str:
    return next(request for request in model.asked if request.role == "VOICE").messages[-1].content


async def test_the_turn_goes_on_with_what_its_client_found(make_room: Rooms) -> None:
    room, model = client_room(make_room, plan(call()))
    ended = offering(room)

    asked = await until_it_waits(room)
    answered = await control(room, "result", asked.key, "It rains.")

    assert isinstance(await ended, TurnSaved)
    assert (asked.tool, asked.arguments, asked.key) == ("get_weather", {"place": "Lisbon"}, "1.a")
    assert (asked.for_client, asked.left) == (True, 0)
    assert (answered.found, answered.calls) == ("waiting", ["1.a"])
    assert "It rains." in told(model)
    planned = next(request for request in model.asked if request.role == "MIND")
    assert "get_weather: Tells the weather of a place." in planned.messages[0].content
    assert "get_weather" in str(planned.schema)


async def test_calls_that_are_made_side_by_side_say_how_many_follow(make_room: Rooms) -> None:
    room, model = client_room(make_room, plan(call("a"), call("b", "memory.search", text="x"), call("c")))
    ended = offering(room)
    await until_it_waits(room)
    async with asyncio.timeout(5):
        while len(asked := waits(room)) < 2:  # noqa: ASYNC110  # events have no event for it
            await asyncio.sleep(0.001)

    for event in asked:
        await control(room, "result", event.key, f"result of {event.key}")

    assert isinstance(await ended, TurnSaved)
    assert [(event.key, event.left) for event in asked] == [("1.a", 1), ("1.c", 0)]
    assert all(f"result of {key}" in told(model) for key in ("1.a", "1.c"))


def waits(room: Room) -> list[ToolWaiting]:
    return [event for event in events_of(room) if isinstance(event, ToolWaiting)]


async def test_a_recipe_without_client_tools_offers_none(make_room: Rooms) -> None:
    room, model = client_room(make_room, plan(call()), recipe=recipe())

    assert isinstance(await think(room, tools=[WEATHER]), TurnSaved)

    assert not waits(room)
    assert "there is no tool get_weather here" in told(model)


async def test_arguments_that_do_not_fit_never_reach_the_client(make_room: Rooms) -> None:
    room, model = client_room(make_room, plan(call(place=3)))

    assert isinstance(await think(room, tools=[WEATHER]), TurnSaved)

    assert not waits(room)
    assert "The arguments of get_weather do not fit: place: 3 is not of type 'string'" in told(model)


async def test_a_tool_of_pandora_goes_before_one_of_its_name(make_room: Rooms) -> None:
    own = TAKES_TOOLS.replace('["memory.*"]', '["get_weather"]')
    called = tool("get_weather", lambda _: "The sun shines.")
    room, model = client_room(make_room, plan(call(text="x")), recipe=own, tools=[called])

    assert isinstance(await think(room, tools=[WEATHER]), TurnSaved)

    assert not waits(room)
    assert "The sun shines." in told(model)


async def test_a_result_is_taken_once_and_only_by_its_key(make_room: Rooms) -> None:
    room, _ = client_room(make_room, plan(call()))
    ended = offering(room)
    await until_it_waits(room)

    for action, key in (("approve", ""), ("deny", ""), ("approve", "1.a"), ("result", ""), ("result", "9.z")):
        with pytest.raises(Refused) as refused:
            await control(room, action, key, "It rains.")
        assert refused.value.status == 409
    await control(room, "result", "1.a", "It rains.")
    with pytest.raises(Refused):
        await control(room, "result", "1.a", "It snows.")

    assert isinstance(await ended, TurnSaved)


async def test_a_call_for_a_person_takes_no_result(make_room: Rooms) -> None:
    removal = {"id": "a", "tool": "memory.remove", "arguments": {"text": "notes"}}
    room, _ = client_room(make_room, plan(removal), tools=[asking()])
    ended = offering(room)
    asked = await until_it_waits(room)

    with pytest.raises(Refused, match="a person allows or denies it"):
        await control(room, "result", asked.key, "done")
    await control(room, "approve")

    assert isinstance(await ended, TurnSaved)
    assert not asked.for_client


@pytest.mark.parametrize(("denied", "said"), [(True, "did not allow it"), (False, "did not answer within")])
async def test_the_turn_goes_on_without_a_result(make_room: Rooms, denied: bool, said: str) -> None:
    room, model = client_room(make_room, plan(call()), approval_seconds=60.0 if denied else 0.05)
    ended = offering(room)
    if denied:
        asked = await until_it_waits(room)
        await control(room, "deny", asked.key)

    assert isinstance(await ended, TurnSaved)
    assert said in told(model)
    assert [event.ok for event in events_of(room) if isinstance(event, ToolEnded)] == [False]


async def test_who_takes_the_turn_over_knows_the_result(make_room: Rooms) -> None:
    room, model = client_room(make_room, plan(call("a"), call("b")))
    ended = offering(room)
    await until_it_waits(room)
    await control(room, "result", "1.a", "It rains.")

    second = room.second()
    await room.first.stop(0.05)
    async with asyncio.timeout(5):
        while (run := second.run_of("t42")) is None or not run.waits_for_client:  # noqa: ASYNC110  # a run has no event for it
            await asyncio.sleep(0.001)
    assert (await run.decide("1.b", "It snows.")).calls == ["1.b"]

    assert isinstance(await ended, TurnSaved)
    assert (await record_of(room)).attempt == 2
    assert all(text in told(model) for text in ("It rains.", "It snows."))


async def test_a_client_that_says_something_else_ends_the_waiting(make_room: Rooms) -> None:
    room, _ = client_room(make_room, plan(call()))
    first = offering(room)
    await until_it_waits(room)

    second = await think(room, 43, "Never mind.")

    ended = await first
    assert isinstance(ended, TurnCancelled)
    assert ended.why == "interrupted"
    assert isinstance(second, TurnSaved)


async def test_a_long_result_is_cut_as_those_of_other_tools_are(make_room: Rooms) -> None:
    room, model = client_room(make_room, plan(call()))
    ended = offering(room)
    asked = await until_it_waits(room)

    await control(room, "result", asked.key, "rain " * 10_000)

    assert isinstance(await ended, TurnSaved)
    assert "[cut: these are the first 8000 of 50000 characters" in told(model)
