"""Turns that wait for a person, over the whole stack, while another turn of their user is forgotten."""

import asyncio
import json
import time

from tests.flow.memory.erasure import files_with, gone_from_files, receipt_of
from tests.flow.pipeline.asking import start, until
from tests.flow.pipeline.conftest import Notes
from tests.stack import Stack

WORD = "oblongata99"


async def test_one_goes_on_waiting_and_one_that_was_given_it_is_cancelled(
    scripted: Stack, notes: Notes
) -> None:
    told = await until_told(scripted, f"My locker code is {WORD} and nobody knows it.", "lockers")
    innocent = await start(scripted, "water geraniums", session_id="plants", recipe="noting")
    given = await start(scripted, "What is my locker code?", session_id="other", recipe="noting")
    followed = await start(scripted, "Thanks!", session_id="lockers", recipe="noting")
    for one in (innocent, given, followed):
        assert (await until(scripted, one, "waiting", "failed", "saved"))["status"] == "waiting"
    assert files_with(scripted, WORD)
    began = time.monotonic()

    status, receipt = await scripted.call("DELETE", f"/v1/turns/{told}?now=true")

    assert status in (200, 202), receipt
    receipt = await receipt_of(scripted, receipt)
    assert time.monotonic() - began < 50, "it did not wait for a person"
    assert (receipt["turns"], sorted(receipt["answers"])) == ([told], sorted([given, followed]))
    for one in (given, followed):
        _, ended = await scripted.call("GET", f"/v1/turns/{one}")
        assert ended["status"] == "cancelled"
        assert WORD not in json.dumps(ended)
        assert (await scripted.call("POST", f"/v1/turns/{one}/approve", {}))[0] == 409
    await gone_from_files(scripted, WORD)
    _, waiting = await scripted.call("GET", f"/v1/turns/{innocent}")
    assert waiting["status"] == "waiting"
    status, answered = await scripted.call("POST", f"/v1/turns/{innocent}/approve", {})
    assert status == 200, answered
    assert (await until(scripted, innocent, "saved", "failed"))["output"] == "Done."
    assert notes.read() == "water geraniums\n"


async def until_told(stack: Stack, text: str, session_id: str) -> str:
    turn_id = await start(stack, text, session_id=session_id, recipe="direct")
    await until(stack, turn_id, "saved")
    await asyncio.wait_for(stack.until_indexed(turn_id), 30)
    return turn_id
