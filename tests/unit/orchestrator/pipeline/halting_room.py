"""Rooms whose turn stays in a phase until it is let go, or changes hands there."""

from typing import Any, Literal

from services.orchestrator.tools.tool import Tool
from tests.unit.orchestrator.orchestrator_room import Album, Room
from tests.unit.orchestrator.pipeline.pipeline_room import (
    Halt,
    Halting,
    HaltingShelf,
    Rooms,
    Thinker,
    halting_tool,
)
from tests.unit.samples import passage

SAID = "Where does she live?"
CALLS: dict[str, Any] = {"calls": [{"id": "a", "tool": "memory.search", "arguments": {"text": "Mira"}}]}
Way = Literal["stopped", "dead"]
"""How an orchestrator goes: it hands its turn over, or is taken for dead and may come back."""


def halting_room(
    make_room: Rooms,
    halt: Halt,
    tools: list[Tool] | None = None,
    *,
    called: list[str] | None = None,
    rules: str = "",
    **thoughts: Any,
) -> tuple[Room, Halting]:
    """`called` gets what its tool is called with, `rules` is its recipe."""
    model = Halting(halt, **{"Plan": CALLS, **thoughts})
    tools = tools or [halting_tool("memory.search", halt, [] if called is None else called)]
    memory = HaltingShelf(halt, [passage(7, "Mira lives in Lisbon.")])
    return make_room(model, memory=memory, tools=tools, recipe=rules, images=Album(a="a.png")), model


async def hand_over(room: Room, model: Thinker, way: Way, **more: Any) -> None:
    """To a second orchestrator with this model. `more`: what the turn has beside its words."""
    model.stream = room.announced
    second = room.second(model)
    room.put(second, 42, SAID, recipe="standard", **more).close()
    if way == "stopped":
        await room.first.stop(within=0.05)
    else:
        room.lose_the_others(second)
