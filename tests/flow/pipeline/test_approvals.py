"""A tool that asks for approval, over the whole stack: the turn waits, also through a restart."""

import asyncio

import pytest

from tests.flow.pipeline.asking import start, until
from tests.flow.pipeline.conftest import Notes
from tests.stack import Stack


@pytest.mark.parametrize(("answer", "written"), [("approve", "buy milk\n"), ("deny", "")])
async def test_a_tool_waits_for_a_person(scripted: Stack, notes: Notes, answer: str, written: str) -> None:
    turn_id = await start(scripted, "buy milk", recipe="noting")
    waiting = await until(scripted, turn_id, "waiting", "failed", "saved")

    refused, _ = await scripted.call("POST", f"/v1/turns/{turn_id}/{answer}", {"call": "9.x"})
    stranger, _ = await scripted.call("POST", f"/v1/turns/{turn_id}/{answer}", {}, user="bob")
    status, answered = await scripted.call("POST", f"/v1/turns/{turn_id}/{answer}", {"call": "1.n"})
    turn = await until(scripted, turn_id, "saved", "failed")

    assert waiting["status"] == "waiting"
    assert (refused, stranger) == (409, 404)
    assert (status, answered["calls"]) == (200, ["1.n"])
    assert turn["output"] == "Done."
    assert notes.read() == written
    again, _ = await scripted.call("POST", f"/v1/turns/{turn_id}/{answer}", {})
    assert again == 409


async def test_a_waiting_turn_whose_id_is_lost_is_found(scripted: Stack) -> None:
    turn_id = await start(scripted, "buy bread", recipe="noting")
    await until(scripted, turn_id, "waiting")

    _, queue = await scripted.call("GET", "/v1/queue?status=waiting")
    _, of_another = await scripted.call("GET", "/v1/queue", user="bob")
    status, _ = await scripted.call("POST", f"/v1/turns/{turn_id}/cancel")
    await until(scripted, turn_id, "cancelled")

    call = {"key": "1.n", "tool": "notes.add", "arguments": {"text": "buy bread"}, "for_client": False}
    assert [(turn["id"], turn["input"], turn["calls"]) for turn in queue["turns"]] == [
        (turn_id, "buy bread", [call])
    ]
    assert (queue["waiting"], of_another["turns"], status) == (1, [], 200)
    assert (await scripted.call("GET", "/v1/queue"))[1]["turns"] == []


async def test_a_turn_still_waits_after_a_restart(scripted: Stack, notes: Notes) -> None:
    turn_id = await start(scripted, "water the plants", recipe="noting")
    await until(scripted, turn_id, "waiting")

    assert await asyncio.to_thread(scripted.stop) == 0, scripted.terminal()
    await asyncio.to_thread(scripted.start)
    await until(scripted, turn_id, "waiting")
    async with asyncio.timeout(30):
        while (await scripted.call("POST", f"/v1/turns/{turn_id}/approve", {}))[0] != 200:  # noqa: ASYNC110  # another process knows
            await asyncio.sleep(0.1)

    turn = await until(scripted, turn_id, "saved", "failed")
    assert turn["output"] == "Done."
    assert notes.read() == "water the plants\n"
