"""Calls of tools by a script."""

import json
from typing import Any

import pytest

from services.inference.scripted.engine import ScriptedEngine
from services.inference.scripted.script import ScriptError, parse_script
from shared.contract.errors import Refused
from shared.contract.requests import Message, NamedTool, Tool, ToolCall
from tests.contracts.inference.engines_room import parts_of
from tests.unit.inference.inference_room import ask

SCRIPT = """
[[rule]]
result = "(?P<degrees>\\\\d+)"
answer = "It has {degrees} degrees."

[[rule]]
question = "weather in (?P<city>\\\\w+)"
calls = [{ name = "weather", arguments = { city = "{city}", days = 2 } }, { name = "time" }]

[[rule]]
question = "weather"
calls = [{ name = "weather" }]
answer = "Let me look."

[[rule]]
answer = "I cannot look."
"""
WEATHER, TIME = Tool(name="weather"), Tool(name="time")
ASKED = "How is the weather in Riga?"


async def answer(text: str = ASKED, **more: Any) -> tuple[str, str, list[ToolCall]]:
    deltas, finished = await parts_of(ScriptedEngine(parse_script(SCRIPT)), ask(text, **more))
    return "".join(delta.text for delta in deltas), finished.reason, finished.tool_calls


async def test_a_rule_calls_tools_that_are_offered() -> None:
    text, reason, (first, second) = await answer(tools=[WEATHER, TIME])

    assert (text, reason) == ("", "tool_calls")
    assert (first.name, json.loads(first.arguments)) == ("weather", {"city": "Riga", "days": 2})
    assert (second.name, second.arguments) == ("time", "{}")
    assert len({first.id, second.id, ""}) == 3


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tools": [WEATHER]}, ("Let me look.", ["weather"])),
        ({"tools": [WEATHER, TIME], "parallel_tool_calls": False}, ("Let me look.", ["weather"])),
        ({"tools": [WEATHER, TIME], "tool_choice": NamedTool("weather")}, ("Let me look.", ["weather"])),
        ({"tools": [WEATHER, TIME], "tool_choice": "none"}, ("I cannot look.", [])),
        ({}, ("I cannot look.", [])),
    ],
)
async def test_only_a_rule_that_the_request_allows_answers(
    asked: dict[str, Any], said: tuple[str, list[str]]
) -> None:
    text, _, calls = await answer(**asked)

    assert (text, [call.name for call in calls]) == said


async def test_a_rule_without_calls_is_not_for_a_request_that_wants_one() -> None:
    with pytest.raises(Refused, match="these tools"):
        await answer("Hello", tools=[WEATHER], tool_choice="required")


async def test_a_rule_reads_the_result_of_a_tool() -> None:
    told = [Message("user", ASKED), Message("tool", "12", tool_call_id="a")]

    assert await answer(messages=told, tools=[WEATHER, TIME]) == ("It has 12 degrees.", "stop", [])


def test_a_call_with_a_fault_is_named() -> None:
    with pytest.raises(ScriptError, match=r"rule 1.*nme"):
        parse_script('[[rule]]\ncalls = [{ nme = "find" }]')
    with pytest.raises(ScriptError, match=r"rule 1.*town"):
        parse_script('[[rule]]\ncalls = [{ name = "find", arguments = { at = "{town}" } }]')
