"""The eight phases over the whole stack, with the scripted engine: tools, approvals, what is told of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.stack import Stack

NOTES = """
from pathlib import Path
import msgspec
from services.orchestrator.tools.tool import Caller, make_tool


class Note(msgspec.Struct):
    text: str


async def write(note: Note, caller: Caller) -> str:
    with Path("notes.txt").open("a") as notes:
        notes.write(note.text + "\\n")
    return f"noted: {note.text}"


TOOLS = [make_tool("notes.add", "Writes a note down.", "write", Note, write, approval=True)]
"""
RECIPE = """
phases = ["plan", "coordinate", "synthesis", "save"]
tools = ["notes.*"]
"""
SCRIPT = """
[[rule]]
schema = "Plan"
[[rule.json]]
goals = ["write it down"]
calls = [{ id = "n", tool = "notes.add", arguments = { text = "{question}" }, after = [] }]
is_done = true

[[rule]]
role = "VOICE"
answer = "Done."
"""


@pytest.fixture(scope="module")
async def scripted() -> AsyncIterator[Stack]:
    stack = Stack({"INFERENCE_ENGINE": "scripted", "REFLECTOR": "off"})
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


@pytest.fixture(scope="module")
async def asking() -> AsyncIterator[Stack]:
    """With a recipe, a tool that asks for approval, and a script of its own."""
    stack = Stack({"INFERENCE_ENGINE": "scripted", "REFLECTOR": "off", "DEFAULT_RECIPE": "noting"})
    for folder, name, text in (("recipes", "noting.toml", RECIPE), ("tools", "notes.py", NOTES)):
        (stack.data_dir / folder).mkdir()
        (stack.data_dir / folder / name).write_text(text)
    (stack.data_dir / "script.toml").write_text(SCRIPT)
    stack.environment |= {
        "RECIPES_DIR": str(stack.data_dir / "recipes"),
        "TOOLS_DIR": str(stack.data_dir / "tools"),
        "SCRIPT": str(stack.data_dir / "script.toml"),
    }
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


async def start(stack: Stack, text: str, **more: str) -> str:
    status, turn = await stack.call("POST", "/v1/turns", {"input": text, **more})
    assert status == 202, turn
    return str(turn["id"])


async def until(stack: Stack, turn_id: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            _, turn = await stack.call("GET", f"/v1/turns/{turn_id}")
            if turn.get("status") in states:
                found: dict[str, Any] = turn
                return found
            await asyncio.sleep(0.05)


async def test_a_turn_goes_through_all_phases_and_tells_of_each(scripted: Stack) -> None:
    turn = await until(scripted, await start(scripted, "What is 12 * 7?", recipe="standard"), "saved")

    assert turn["output"] == "12 * 7 = 84."
    assert turn["recipe"] == "standard"
    assert turn["recipe_version"]
    assert [phase["phase"] for phase in turn["phases"]] == [
        *("analysis", "gate", "gather", "plan", "coordinate", "plan", "synthesis", "validation"),
    ]
    assert {phase["role"] for phase in turn["phases"]} == {"REFLEX", "MIND", "VOICE", None}
    _, document = await scripted.call("GET", f"/v1/turns/{turn['id']}/documents/metrics.json")
    calls = [call for phase in document["phases"] for call in phase["calls"]]
    assert len(calls) == 6


async def test_what_phases_took_is_in_the_header_of_the_turn(scripted: Stack) -> None:
    turn = await until(scripted, await start(scripted, "hello", recipe="standard"), "saved")

    async with (
        aiohttp.ClientSession(headers=scripted.headers("alice")) as http,
        http.get(f"{scripted.gateway_url}/v1/turns/{turn['id']}") as response,
    ):
        timing = response.headers["server-timing"]

    assert [part.partition(";dur=")[0] for part in timing.split(", ")] == [
        *(phase["phase"] for phase in turn["phases"]),
        "total",
    ]


async def test_later_turns_find_what_was_said_and_name_it(scripted: Stack) -> None:
    told = await scripted.tell("My cousin Ilse lives in Ghent.")

    turn = await until(scripted, await start(scripted, "Where does Ilse live?", recipe="standard"), "saved")

    assert f"[turn {told['turn_number']}]" in turn["output"]
    assert [source["turn_id"] for source in turn["sources"]] == [told["turn_id"]]


@pytest.mark.parametrize(("answer", "notes"), [("approve", ["buy milk"]), ("deny", [])])
async def test_a_tool_waits_for_a_person(asking: Stack, answer: str, notes: list[str]) -> None:
    turn_id = await start(asking, "buy milk")
    waiting = await until(asking, turn_id, "waiting", "failed", "saved")

    refused, _ = await asking.call("POST", f"/v1/turns/{turn_id}/{answer}", {"call": "9.x"})
    stranger, _ = await asking.call("POST", f"/v1/turns/{turn_id}/{answer}", {}, user="bob")
    status, answered = await asking.call("POST", f"/v1/turns/{turn_id}/{answer}", {"call": "1.n"})
    turn = await until(asking, turn_id, "saved", "failed")

    written = asking.data_dir / "notes.txt"
    assert waiting["status"] == "waiting"
    assert (refused, stranger) == (409, 404)
    assert (status, answered["calls"]) == (200, ["1.n"])
    assert turn["output"] == "Done."
    assert (written.read_text().split("\n")[:-1] if written.exists() else []) == notes
    written.unlink(missing_ok=True)
    again, _ = await asking.call("POST", f"/v1/turns/{turn_id}/{answer}", {})
    assert again == 409


async def test_a_waiting_turn_whose_id_is_lost_is_found(asking: Stack) -> None:
    turn_id = await start(asking, "buy bread")
    await until(asking, turn_id, "waiting")

    _, queue = await asking.call("GET", "/v1/queue?status=waiting")
    _, of_another = await asking.call("GET", "/v1/queue", user="bob")
    status, _ = await asking.call("POST", f"/v1/turns/{turn_id}/cancel")
    await until(asking, turn_id, "cancelled")

    call = {"key": "1.n", "tool": "notes.add", "arguments": {"text": "buy bread"}}
    assert [(turn["id"], turn["input"], turn["calls"]) for turn in queue["turns"]] == [
        (turn_id, "buy bread", [call])
    ]
    assert (queue["waiting"], of_another["turns"], status) == (1, [], 200)
    assert (await asking.call("GET", "/v1/queue"))[1]["turns"] == []


async def test_a_session_has_a_recipe_of_its_own(scripted: Stack) -> None:
    path = "/v1/sessions/thoughtful"
    assert (await scripted.call("PATCH", path, {"recipe": "standard"}))[0] == 200

    own = await until(scripted, await start(scripted, "hello", session_id="thoughtful"), "saved")
    named = await start(scripted, "hello", session_id="thoughtful", recipe="direct")
    other = await until(scripted, await start(scripted, "hello"), "saved")

    assert (own["recipe"], other["recipe"]) == ("standard", "direct")
    assert (await until(scripted, named, "saved"))["recipe"] == "direct"
    assert (await scripted.call("DELETE", path))[0] == 200
    assert await scripted.call("GET", path) == (200, {"session_id": "thoughtful", "recipe": ""})


async def test_a_turn_still_waits_behind_a_restart(asking: Stack) -> None:
    turn_id = await start(asking, "water the plants")
    await until(asking, turn_id, "waiting")

    assert await asyncio.to_thread(asking.stop) == 0, asking.terminal()
    await asyncio.to_thread(asking.start)
    await until(asking, turn_id, "waiting")
    async with asyncio.timeout(30):
        while (await asking.call("POST", f"/v1/turns/{turn_id}/approve", {}))[0] != 200:  # noqa: ASYNC110  # another process knows
            await asyncio.sleep(0.1)

    turn = await until(asking, turn_id, "saved", "failed")
    assert turn["output"] == "Done."
    assert (asking.data_dir / "notes.txt").read_text() == "water the plants\n"
