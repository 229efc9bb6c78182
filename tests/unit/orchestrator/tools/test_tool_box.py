"""The toolbox: how tools are found and described, and what a call that does not fit is answered."""

import asyncio
import json
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.tools.built_in.calculator import calculator
from services.orchestrator.tools.built_in.content_search import content_search
from services.orchestrator.tools.tool import (
    BadArguments,
    Tool,
    ToolResult,
    make_tool,
    schema_of,
)
from services.orchestrator.tools.toolbox import Toolbox
from shared.process.environment import SettingsError
from tests.unit.orchestrator.tools.tool_box_room import CALLER, ECHO, Echoed, echo, ran

# --- finding and describing ---


def test_tools_are_allowed_by_patterns() -> None:
    box = Toolbox([ECHO, calculator(), content_search()])

    assert box.names == ["test.echo", "calculator", "content.search"]
    assert box.allowed(["test.*", "calculator"]) == ["test.echo", "calculator"]
    assert box.allowed(["*"]) == box.names
    assert box.allowed(["calc", "tes"]) == []
    assert box.allowed([]) == []


def test_a_prompt_learns_each_argument_with_its_type_and_default() -> None:
    described = Toolbox([ECHO]).described(["test.echo", "gone"])

    assert described == (
        "test.echo: Says it again.\n  - text (string): what to say\n  - times (integer, default 1)"
    )


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"two tools are called test\.echo"):
        Toolbox([ECHO, ECHO])


@pytest.mark.parametrize("name", ["", "Two words", "x" * 40, "../etc", ".x", "x.", "1x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be called"):
        Toolbox([make_tool(name, "A test.", "read", Echoed, echo)])


def test_tools_of_a_set_come_and_go_and_never_take_the_place_of_ones_own() -> None:
    class Others:
        here: list[Tool] = []

        def tools(self) -> list[Tool]:
            return self.here

    others = Others()
    box = Toolbox([ECHO], [others])
    assert box.names == ["test.echo"]

    others.here = [make_tool("test.echo", "Another.", "write", Echoed, echo), calculator()]

    assert box.names == ["test.echo", "calculator"]
    assert box.get("test.echo") is ECHO


def test_a_schema_is_one_plain_object() -> None:
    class Inner(msgspec.Struct):
        title: str

    class Outer(msgspec.Struct):
        """Of no use to a model."""

        one: Inner
        many: list[Inner] = []

    schema = schema_of(Outer)

    assert schema["type"] == "object"
    assert schema["required"] == ["one"]
    assert schema["properties"]["one"]["properties"] == {"title": {"type": "string"}}
    assert schema["properties"]["many"]["items"] == schema["properties"]["one"]
    assert "$ref" not in json.dumps(schema)
    assert "Of no use" not in json.dumps(schema)


class Endless(msgspec.Struct):
    again: "Endless | None" = None


def test_a_type_that_contains_itself_is_refused() -> None:
    with pytest.raises(TypeError, match="contains itself"):
        schema_of(Endless)


# --- bad calls ---


async def test_a_good_call_is_answered() -> None:
    result = await Toolbox([ECHO]).run("test.echo", {"text": "ha", "times": 2}, CALLER)

    assert result == ToolResult(text="mira: haha")


async def test_an_unknown_tool_is_an_error_that_names_the_known_ones() -> None:
    result = await Toolbox([ECHO]).run("test.eco", {}, CALLER)

    assert result.is_error
    assert result.text == "There is no tool 'test.eco'. There are: test.echo."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "'text' is a required property"),
        ({"text": 7}, "text: 7 is not of type 'string'"),
        ({"text": "x", "times": "2"}, "times: '2' is not of type 'integer'"),
        ({"text": "x", "times": 9}, "times: 9 is greater than the maximum of 5"),
        ({"text": "x", "other": 1}, "'other' was unexpected"),
        ({"text": "x" * 1000}, 'text: "xxxxx'),
        ({"text": "x" * 1000}, "does not fit maxLength: 50"),
        (["text"], "the arguments must be an object"),
        (None, "the arguments must be an object"),
        ({1: 2}, "the names of arguments must be texts"),
    ],
)
async def test_arguments_that_do_not_fit_name_the_field(arguments: Any, said: str) -> None:
    result = await Toolbox([ECHO]).run("test.echo", arguments, CALLER)

    assert result.is_error
    assert said in result.text
    assert "Its arguments are:\n  - text (string): what to say" in result.text
    assert len(result.text) < 1000


async def test_a_tool_says_itself_that_an_argument_is_wrong() -> None:
    async def refuse() -> str:
        raise BadArguments("text: there is no such thing")

    result = await ran(refuse)

    assert result.is_error
    assert "test.tool do not fit: text: there is no such thing" in result.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


ARGUMENTS = (
    JSON
    | st.dictionaries(st.sampled_from(["text", "times", "expression", "query", "limit", ""]), JSON)
    | st.fixed_dictionaries({"text": st.text()}, optional={"times": st.integers(0, 6)})
)


@settings(deadline=None)
@given(name=st.sampled_from(["test.echo", "calculator", "content.search"]) | st.text(), arguments=ARGUMENTS)
def test_no_call_raises_and_every_answer_can_be_stored(name: str, arguments: Any) -> None:
    box = Toolbox([ECHO, calculator(), content_search()])

    result = asyncio.run(box.run(name, arguments, CALLER))

    assert isinstance(result, ToolResult)
    assert result.text or not result.is_error
    assert len(result.text) < 10_000
    msgspec.json.encode(result)


async def test_arguments_nested_too_deeply_are_an_error() -> None:
    deep: Any = "x"
    for _ in range(sys.getrecursionlimit() * 2):
        deep = {"text": deep}

    result = await Toolbox([ECHO]).run("test.echo", deep, CALLER)

    assert result.is_error
