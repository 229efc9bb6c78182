"""The toolbox: whatever a tool does, and whatever it is called with, an answer comes back in time."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.tools.calculator import calculator
from services.orchestrator.tools.content_search import content_search
from services.orchestrator.tools.registry import Toolbox
from services.orchestrator.tools.tool import (
    BadArguments,
    Caller,
    Permission,
    Tool,
    ToolLimits,
    ToolResult,
    ToolSource,
    make_tool,
    schema_of,
)
from shared.errors import Refused, SettingsError, Transient

CALLER = Caller(user="mira", session_id="s1", turn_id="t1", turn_number=1)
LIMITS = ToolLimits(seconds=0.2, result_characters=100)


class Echoed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=50, description="what to say")]
    times: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1


async def echo(arguments: Echoed, caller: Caller) -> str:
    return f"{caller.user}: {arguments.text * arguments.times}"


def tool_that(
    does: Callable[[], Awaitable[Any]], *, name: str = "test.tool", permission: Permission = "read"
) -> Tool:
    async def function(arguments: Echoed, caller: Caller) -> Any:
        return await does()

    return make_tool(name, "A test.", permission, Echoed, function, limits=LIMITS)


async def ran(does: Callable[[], Awaitable[Any]]) -> ToolResult:
    return await Toolbox([tool_that(does)]).run("test.tool", {"text": ""}, CALLER)


ECHO = make_tool("test.echo", "Says it again.", "read", Echoed, echo)


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


# --- bad tools ---


async def test_a_tool_that_hangs_is_stopped() -> None:
    stopped = asyncio.Event()

    async def hang() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.set()
            raise
        return "never"

    result = await ran(hang)

    assert result.is_error
    assert "did not answer within 0.2 seconds and was stopped" in result.text
    assert stopped.is_set()


async def test_a_tool_that_ignores_cancellation_does_not_hold_the_caller() -> None:
    ended = asyncio.Event()
    told = 0

    async def ignore() -> str:
        nonlocal told
        while told < 2 and not ended.is_set():
            try:
                await asyncio.wait_for(ended.wait(), 5)
            except asyncio.CancelledError:
                told += 1
        return "at last"

    began = time.monotonic()
    result = await ran(ignore)

    assert result.is_error
    assert time.monotonic() - began < 3
    assert told == 1
    ended.set()


async def test_a_caller_that_is_cancelled_takes_its_tool_along() -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def hang() -> str:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return "never"

    call = asyncio.create_task(ran(hang))
    await began.wait()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert stopped.is_set()


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("the moon is away"), "ValueError: the moon is away"),
        (TimeoutError("of its own"), "TimeoutError: of its own"),
        (Refused(404, "there is no such turn", "turn_id"), "refused (turn_id): there is no such turn"),
        (Transient("nobody answers"), "cannot answer now: nobody answers"),
        (asyncio.CancelledError(), "it stopped by itself"),
        (SystemExit(3), "it wanted to end the process"),
        (Mute(), "Mute"),
        (ExceptionGroup("two", [ValueError("a"), ValueError("b")]), "two (2 sub-exceptions)"),
    ],
)
async def test_whatever_a_tool_raises_is_an_error_result(error: BaseException, said: str) -> None:
    async def fail() -> str:
        raise error

    result = await ran(fail)

    assert result.is_error
    assert said in result.text


async def test_a_result_of_50_mb_is_cut_with_a_note() -> None:
    async def flood() -> str:
        return "x" * 50_000_000

    result = await ran(flood)

    assert result.is_cut
    assert not result.is_error
    assert result.text.startswith("x" * 100 + "\n[cut: these are the first 100 of 50000000 characters")
    assert len(result.text) < 300


async def test_sources_are_limited_too() -> None:
    async def flood() -> ToolResult:
        return ToolResult(text="", sources=[ToolSource(name="n", quote="q" * 10_000)] * 1000)

    result = await ran(flood)

    assert len(result.sources) == 50
    assert len(result.sources[0].quote) == 300
    assert result.is_cut


@pytest.mark.parametrize("value", [None, 7, {"text": "x"}, [], b"bytes", object()])
async def test_a_result_that_is_none_is_an_error(value: Any) -> None:
    async def strange() -> Any:
        return value

    result = await ran(strange)

    assert result.is_error
    assert f"returned a {type(value).__name__} instead of a ToolResult" in result.text


async def test_what_cannot_be_stored_is_left_out_of_a_text() -> None:
    async def odd() -> str:
        return "half \ud800 and \0 zero"

    result = await ran(odd)

    assert result.text == "half ? and  zero"
    msgspec.json.encode(result)


async def test_a_schema_of_another_server_that_is_broken_is_an_error() -> None:
    class Broken:
        name, description, permission, approval, limits = "x.y", "d", "read", False, LIMITS
        schema: dict[str, Any] = {"type": "strange", "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}

        async def __call__(self, arguments: dict[str, Any], caller: Caller) -> ToolResult:
            raise AssertionError("it is not called")

    broken: Any = Broken()
    result = await Toolbox([broken]).run("x.y", {"a": 1}, CALLER)

    assert result.is_error
    assert "cannot be checked" in result.text


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
