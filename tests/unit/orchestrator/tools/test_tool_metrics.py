"""What Prometheus learns of tools: how they ended and how long they took, by known names."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from prometheus_client import REGISTRY

from services.orchestrator.tools.tool import BadArguments, Caller, Tool, ToolLimits, ToolResult, make_tool
from services.orchestrator.tools.toolbox import Toolbox
from shared.contract.errors import Refused, Transient

CALLER = Caller(user="mira", session_id="s1", turn_id="t1", turn_number=1)
NAME = "metrics.probe"
RESULTS = ("ok", "failed", "timeout", "refused", "unavailable", "unfit", "cancelled")


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool without arguments."""


def tool_that(does: Callable[[], Awaitable[str | ToolResult]]) -> Tool:
    async def function(arguments: Nothing, caller: Caller) -> str | ToolResult:
        return await does()

    return make_tool(NAME, "A test.", "read", Nothing, function, limits=ToolLimits(seconds=0.05))


def calls(tool: str = NAME) -> dict[str, float]:
    """By result, those that were counted at all."""
    counted = {
        result: REGISTRY.get_sample_value("pandora_tool_calls_total", {"tool": tool, "result": result})
        for result in RESULTS
    }
    return {result: value for result, value in counted.items() if value}


def timed() -> float:
    return REGISTRY.get_sample_value("pandora_tool_seconds_count", {"tool": NAME}) or 0.0


def risen(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {
        result: value - before.get(result, 0.0)
        for result, value in after.items()
        if value != before.get(result, 0.0)
    }


async def good() -> str:
    return "well"


async def error_result() -> ToolResult:
    return ToolResult(text="no such file", is_error=True)


async def slow() -> str:
    await asyncio.sleep(60)
    return "never"


def raising(error: Exception) -> Callable[[], Awaitable[str]]:
    async def does() -> str:
        raise error

    return does


@pytest.mark.parametrize(
    ("does", "result"),
    [
        (good, "ok"),
        (error_result, "failed"),
        (raising(ValueError("no")), "failed"),
        (slow, "timeout"),
        (raising(Refused(404, "there is none")), "refused"),
        (raising(Transient("away")), "unavailable"),
        (raising(BadArguments("text: no")), "unfit"),
    ],
)
async def test_a_call_is_counted_once_by_how_it_ended_and_timed(
    does: Callable[[], Awaitable[str]], result: str
) -> None:
    box, before, timed_before = Toolbox([tool_that(does)]), calls(), timed()

    await box.run(NAME, {}, CALLER)

    assert risen(before, calls()) == {result: 1}
    assert timed() == timed_before + 1


async def test_arguments_that_do_not_fit_are_counted_as_such() -> None:
    box, before = Toolbox([tool_that(good)]), calls()

    await box.run(NAME, {"other": 1}, CALLER)

    assert risen(before, calls()) == {"unfit": 1}


async def test_a_call_whose_turn_ends_is_counted_as_cancelled() -> None:
    box, before = Toolbox([tool_that(slow)]), calls()
    call = asyncio.create_task(box.run(NAME, {}, CALLER))
    await asyncio.sleep(0.01)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert risen(before, calls()) == {"cancelled": 1}


async def test_a_name_that_a_model_made_up_becomes_no_label() -> None:
    box, before = Toolbox([tool_that(good)]), calls("(unknown)")

    await box.run("metrics.made_up", {}, CALLER)

    assert risen(before, calls("(unknown)")) == {"failed": 1}
    labels = [sample.labels for metric in REGISTRY.collect() for sample in metric.samples]
    assert "metrics.made_up" not in {each.get("tool") for each in labels}


def test_a_tool_that_was_never_called_stands_at_zero() -> None:
    Toolbox([make_tool("metrics.idle", "A test.", "read", Nothing, _never)])

    value = REGISTRY.get_sample_value("pandora_tool_calls_total", {"tool": "metrics.idle", "result": "ok"})

    assert value == 0


async def _never(arguments: Nothing, caller: Caller) -> str:
    raise AssertionError("it is not called")
