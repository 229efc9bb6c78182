"""Turns that wait for a person, over the whole stack, while another turn of their user is forgotten."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from tests.flow.test_forgetting import files_with, gone_from_files, receipt_of
from tests.flow.test_pipeline import NOTES, SCRIPT, start, until
from tests.stack import Stack

RECIPE = """
phases = ["gather", "plan", "coordinate", "synthesis", "save"]
tools = ["notes.*"]
"""
DIRECT = 'phases = ["gather", "synthesis", "save"]'
WORD = "oblongata99"


@pytest.fixture(scope="module")
def asking() -> Iterator[Stack]:
    """A stack of its own, every byte of whose folder is looked at. Its tool asks for approval."""
    stack = Stack({"INFERENCE_ENGINE": "scripted", "REFLECTOR": "off"})
    for folder, name, text in (
        ("recipes", "noting.toml", RECIPE),
        ("recipes", "direct.toml", DIRECT),
        ("tools", "notes.py", NOTES),
    ):
        (stack.data_dir / folder).mkdir(exist_ok=True)
        (stack.data_dir / folder / name).write_text(text)
    (stack.data_dir / "script.toml").write_text(SCRIPT)
    stack.environment |= {
        "RECIPES_DIR": str(stack.data_dir / "recipes"),
        "TOOLS_DIR": str(stack.data_dir / "tools"),
        "SCRIPT": str(stack.data_dir / "script.toml"),
        "DEFAULT_RECIPE": "noting",
    }
    stack.start()
    try:
        yield stack
    finally:
        status = stack.stop()
    assert status == 0, stack.terminal()
    stack.remove()


async def test_one_goes_on_waiting_and_one_that_was_given_it_is_cancelled(asking: Stack) -> None:
    told = await until_told(asking, f"My locker code is {WORD} and nobody knows it.", "lockers")
    innocent = await start(asking, "water geraniums", session_id="plants")
    given = await start(asking, "What is my locker code?", session_id="other")
    followed = await start(asking, "Thanks!", session_id="lockers")
    for one in (innocent, given, followed):
        assert (await until(asking, one, "waiting", "failed", "saved"))["status"] == "waiting"
    assert files_with(asking, WORD)
    began = time.monotonic()

    status, receipt = await asking.call("DELETE", f"/v1/turns/{told}")

    assert status in (200, 202), receipt
    receipt = await receipt_of(asking, receipt)
    assert time.monotonic() - began < 50, "nobody waited for a person"
    assert (receipt["turns"], sorted(receipt["answers"])) == ([told], sorted([given, followed]))
    for one in (given, followed):
        _, ended = await asking.call("GET", f"/v1/turns/{one}")
        assert ended["status"] == "cancelled"
        assert WORD not in json.dumps(ended)
        assert (await asking.call("POST", f"/v1/turns/{one}/approve", {}))[0] == 409
    await gone_from_files(asking, WORD)
    _, waiting = await asking.call("GET", f"/v1/turns/{innocent}")
    assert waiting["status"] == "waiting"
    status, answered = await asking.call("POST", f"/v1/turns/{innocent}/approve", {})
    assert status == 200, answered
    assert (await until(asking, innocent, "saved", "failed"))["output"] == "Done."
    assert (asking.data_dir / "notes.txt").read_text() == "water geraniums\n"


async def until_told(stack: Stack, text: str, session_id: str) -> str:
    turn_id = await start(stack, text, session_id=session_id, recipe="direct")
    await until(stack, turn_id, "saved")
    await asyncio.wait_for(stack.until_indexed(turn_id), 30)
    return turn_id
