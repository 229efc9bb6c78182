"""SIGKILL of the orchestrator in each phase of the pipeline: what was thought before is not thought again."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from services.orchestrator.recipes.recipe import PhaseName
from tests.contracts.orchestrator.images_room import image_bytes
from tests.faults.replicas import accept, are_whole, ended, kill, read_on, text_of
from tests.faults.turns.test_kills import outcomes_of
from tests.stack import Stack

WHERE: list[PhaseName] = [
    *("look", "analysis", "gate", "gather", "plan", "coordinate", "synthesis", "validation")
]
SOME: list[PhaseName] = ["gate", "plan", "validation"]
OTHERS = ["Stay nowhere at all.", "Stay nowhere, either."]
RECIPE = """
phases = ["analysis", "gate", "gather", "plan", "coordinate", "synthesis", "validation", "save"]
tools = ["slow.*"]
compress = true
budget.context_passages = 1
"""
TOOLS = """
import asyncio
from pathlib import Path
import msgspec
from services.orchestrator.tools.tool import Caller, make_tool


class Wait(msgspec.Struct):
    seconds: float


async def wait(asked: Wait, caller: Caller) -> str:
    begun = Path(f"{caller.turn_id}.begun")
    with begun.open("a") as calls:
        calls.write("called ")
    if begun.read_text().count("called") == 1:
        await asyncio.sleep(asked.seconds)
    return "It waited."


TOOLS = [make_tool("slow.wait", "Waits, the first time.", "read", Wait, wait)]
"""
STAYS = """
[[rule]]  # Until its asker is killed; the next one is answered below, at once.
question = "^Stay in {whose}"
phase = "{phase}"
times = 1
answer = "late"
delay_seconds = 60
"""
ANSWERS = """
[[rule]]
role = "EYES"
answer = ["A picture.", "AGAIN"]

[[rule]]
role = "NERVES"
answer = ["In a few words.", "AGAIN"]

[[rule]]
schema = "Analysis"
json = [{ resolved = "{question}", needs_tools = true }, { resolved = "AGAIN" }]

[[rule]]
schema = "Gate"
json = [{ decision = "proceed", reason = "it is clear" }, { decision = "proceed", reason = "AGAIN" }]

[[rule]]
schema = "Plan"
question = "^Stay in coordinate"
json = [{ goals = ["wait"], calls = [{ id = "a", tool = "slow.wait", arguments = { seconds = 9.0 } }] },
        { goals = ["AGAIN"] }]

[[rule]]
schema = "Plan"
json = [{ goals = ["wait"], calls = [{ id = "a", tool = "slow.wait", arguments = { seconds = 0.0 } }] },
        { goals = ["AGAIN"] }]

[[rule]]
role = "VOICE"
answer = ["It is done.", "AGAIN"]

[[rule]]
schema = "Verdict"
json = [{ decision = "approve" }, { decision = "fail", reasons = ["AGAIN"] }]
"""


@pytest.fixture(scope="module")
async def thinking() -> AsyncIterator[Stack]:
    """An engine that says AGAIN when a turn asks it the same twice."""
    stack = Stack({"INFERENCE_ENGINE": "scripted", "REFLECTOR": "off", "STOP_TIMEOUT_SECONDS": "4"})
    stays = "".join(
        STAYS.replace("{phase}", phase).replace("{whose}", f"({phase}|each)" if phase in SOME else phase)
        for phase in WHERE
        if phase != "coordinate"
    )
    for name, text in {
        "recipes/standard.toml": RECIPE,
        "recipes/direct.toml": 'phases = ["synthesis", "save"]\n',
        "tools/slow.py": TOOLS,
        "script.toml": stays + ANSWERS,
    }.items():
        file = stack.data_dir / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    stack.environment |= {
        "RECIPES_DIR": str(stack.data_dir / "recipes"),
        "TOOLS_DIR": str(stack.data_dir / "tools"),
        "SCRIPT": str(stack.data_dir / "script.toml"),
    }
    await asyncio.to_thread(stack.start)
    for text in OTHERS:  # What memory holds, and more of it than the budget.
        await stack.tell(text)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    assert not stack.leftovers()
    stack.remove()


@pytest.fixture(autouse=True)
async def whole_again(thinking: Stack) -> AsyncIterator[None]:
    yield
    await thinking.until_ready()


async def test_a_turn_goes_on_in_the_phase_in_which_its_process_was_killed(thinking: Stack) -> None:
    """A turn in each phase, and one kill for all of them."""
    turns = {phase: await accept(thinking, shown(f"Stay in {phase}."), recipe="standard") for phase in WHERE}
    reading = {
        phase: asyncio.create_task(read_on([thinking.gateway_url], thinking, turn_id))
        for phase, turn_id in turns.items()
    }
    await asyncio.gather(*(until_in(thinking, turn_id, phase) for phase, turn_id in turns.items()))

    kill(thinking, "orchestrator")

    for phase, turn_id in turns.items():
        await check(thinking, turn_id, [phase], await reading[phase])


async def test_a_turn_survives_one_kill_after_the_other(thinking: Stack) -> None:
    turn_id = await accept(thinking, shown("Stay in each."), recipe="standard")
    reading = asyncio.create_task(read_on([thinking.gateway_url], thinking, turn_id))

    for phase in SOME:
        await until_in(thinking, turn_id, phase)
        kill(thinking, "orchestrator")

    await check(thinking, turn_id, SOME, await reading)


def shown(text: str) -> list[dict[str, str]]:
    """With an image."""
    url = f"data:image/png;base64,{base64.b64encode(image_bytes()).decode()}"
    return [{"type": "input_text", "text": text}, {"type": "input_image", "image_url": url}]


async def check(stack: Stack, turn_id: str, killed_in: list[PhaseName], events: list[dict[str, Any]]) -> None:
    """It ended once and well, and every question but those that were cut off was put once."""
    turn = await ended(stack, turn_id)
    _, document = await stack.call("GET", f"/v1/turns/{turn_id}/documents/context.md")
    started = [event["phase"] for event in events if event["type"] == "phase.started"]
    assert (turn["status"], turn["output"]) == ("saved", "It is done."), turn
    assert [one["phase"] for one in turn["phases"]] == WHERE
    assert [one["retries"] for one in turn["phases"]] == [0] * len(WHERE)
    assert not turn.get("notes"), turn
    assert "It waited." in document
    assert "AGAIN" not in document
    assert [one for one in WHERE if started.count(one) > 1] == killed_in
    assert max(started.count(one) for one in WHERE) == 2
    assert are_whole(events), [event["index"] for event in events]
    assert events[-1]["type"] == "turn.saved"
    assert text_of(events) == "It is done."
    assert max(event.get("attempt", 1) for event in events) == 1 + len(killed_in)
    outcomes = await outcomes_of(stack, turn_id)
    assert outcomes["turn.saved"] == 1
    assert outcomes.keys() <= {"turn.saved", "turn.indexed"}


async def until_in(stack: Stack, turn_id: str, phase: PhaseName) -> None:
    """Until the phase was told to readers, and the checkpoint in front of it is made."""
    url = f"{stack.gateway_url}/v1/turns/{turn_id}/events"
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession(headers=stack.headers()) as http,
        http.get(url) as response,
    ):
        async for event in stack.events(response):
            if event["type"] == "phase.started" and event["phase"] == phase:
                break
    await asyncio.sleep(0.5)  # The checkpoint comes a moment later, without an event.
