"""Whatever a tool does, an answer comes back in time, and it can be stored."""

import asyncio
import time
from typing import Any

import msgspec
import pytest

from services.orchestrator.tools.tool import (
    Caller,
    ToolResult,
    ToolSource,
)
from services.orchestrator.tools.toolbox import Toolbox
from shared.contract.errors import Refused, Transient
from tests.unit.orchestrator.tools.tool_box_room import CALLER, LIMITS, ran

# --- tools that do not end ---


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


# --- what they answer ---


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
