"""Turns that are stopped, steered and left while they run: over HTTP, through every real part."""

import os
import signal
from uuid import uuid4

import pytest

from tests.contracts.inference.engines_server import ChatServer
from tests.flow.turns.http_turns import events_of, request, until_speaking, words
from tests.servers.processes import pause
from tests.stack import Stack


async def test_a_running_turn_is_cancelled_and_says_so_again_and_again(slow: Stack) -> None:
    async with request(
        slow, "POST", "/v1/turns", {"input": words(200)}, accept="text/event-stream"
    ) as response:
        turn_id = (await until_speaking(slow, response))[0]["turn_id"]
        status, first = await slow.call("POST", f"/v1/turns/{turn_id}/cancel")
    again = await slow.call("POST", f"/v1/turns/{turn_id}/cancel")
    events = await events_of(slow, turn_id)
    _, view = await slow.call("GET", f"/v1/turns/{turn_id}")

    assert (status, first["found"], first["phase"], first["done"]) == (200, "running", "synthesis", True)
    assert again[0] == 200
    assert events[-1]["type"] == "turn.cancelled"
    assert view["status"] == "cancelled"
    assert view["output"] == "".join(event.get("text", "") for event in events)


async def test_a_message_added_before_the_answer_reaches_the_model_and_one_added_later_is_refused(
    slow: Stack, server: ChatServer
) -> None:
    secret = f"pears{uuid4().hex[:6]}"
    indexer = slow.pid_of("indexer")
    pause(indexer)  # The turn waits for its memory.
    try:
        async with request(
            slow, "POST", "/v1/turns", {"input": words(20)}, accept="text/event-stream"
        ) as response:
            events = aiter(slow.events(response))
            got = [await anext(events), await anext(events)]
            turn_id = got[0]["turn_id"]
            status, steered = await slow.call("POST", f"/v1/turns/{turn_id}/steer", {"text": secret})
            os.kill(indexer, signal.SIGCONT)
            async for event in events:
                got.append(event)
                if event["type"] == "output.delta":
                    break
            late, problem = await slow.call("POST", f"/v1/turns/{turn_id}/steer", {"text": "too late"})
            got += [event async for event in events]
    finally:
        os.kill(indexer, signal.SIGCONT)
    _, view = await slow.call("GET", f"/v1/turns/{turn_id}")

    assert (status, steered["found"], steered["takes_effect"]) == (200, "running", "synthesis")
    assert late == 409
    assert "too late" in problem["detail"]
    assert [event["text"] for event in got if event["type"] == "turn.steered"] == [secret]
    assert secret in str(server.bodies[-1]["messages"])
    assert view["steering"] == [secret]


@pytest.mark.parametrize(("on_disconnect", "end"), [("cancel", "cancelled"), ("continue", "saved")])
async def test_leaving_the_stream_of_a_turn_ends_it_only_where_that_was_asked_for(
    slow: Stack, on_disconnect: str, end: str
) -> None:
    body = {"input": words(40), "on_disconnect": on_disconnect}
    async with request(slow, "POST", "/v1/turns", body, accept="text/event-stream") as response:
        turn_id = (await until_speaking(slow, response))[0]["turn_id"]
        async with request(slow, "GET", f"/v1/turns/{turn_id}/events") as other:
            await until_speaking(slow, other)
        _, after_a_reader_left = await slow.call("GET", f"/v1/turns/{turn_id}")

    events = await events_of(slow, turn_id)

    assert after_a_reader_left["status"] == "running"
    assert events[-1]["type"] == f"turn.{end}"
