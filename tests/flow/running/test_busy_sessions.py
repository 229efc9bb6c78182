"""A turn for a session that is busy: rejected, waiting, or in the place of the one that runs."""

import asyncio
from uuid import uuid4

import pytest

from tests.flow.turns.http_turns import events_of, request, until_speaking, words
from tests.stack import Stack


async def test_a_busy_session_rejects_and_names_the_turn_that_keeps_it_busy(slow: Stack) -> None:
    session = f"busy-{uuid4().hex[:6]}"
    body = {"input": words(60), "session_id": session}
    async with request(slow, "POST", "/v1/turns", body, accept="text/event-stream") as response:
        running = (await until_speaking(slow, response))[0]["turn_id"]
        rejected = {"input": "Are you free?", "session_id": session, "if_busy": "reject"}
        plain = await slow.call("POST", "/v1/turns", rejected)
        async with request(slow, "POST", "/v1/turns", rejected, accept="text/event-stream") as streamed:
            stream = streamed.status, await streamed.json()
        await slow.call("POST", f"/v1/turns/{running}/cancel")
        async for _ in slow.events(response):
            pass
    free = await slow.call("POST", "/v1/turns", rejected)

    for status, problem in (plain, stream):
        assert (status, problem["turn_id"], problem["field"]) == (409, running, "if_busy")
        assert running in problem["detail"]
    assert free[0] == 202


async def test_of_five_turns_that_reject_at_once_one_runs(slow: Stack) -> None:
    body = {"input": words(20), "session_id": f"race-{uuid4().hex[:6]}", "if_busy": "reject"}

    answers = await asyncio.gather(*(slow.call("POST", "/v1/turns", body) for _ in range(5)))

    assert sorted(status for status, _ in answers) == [202, 409, 409, 409, 409]
    [accepted] = [answer for status, answer in answers if status == 202]
    assert {answer["turn_id"] for status, answer in answers if status == 409} == {accepted["id"]}
    await slow.call("POST", f"/v1/turns/{accepted['id']}/cancel")


@pytest.mark.parametrize(("if_busy", "why"), [("interrupt", "interrupted"), ("replace", "replaced")])
async def test_a_turn_may_stop_the_one_that_runs(slow: Stack, if_busy: str, why: str) -> None:
    session = f"stop-{uuid4().hex[:6]}"
    body = {"input": words(200), "session_id": session}
    async with request(slow, "POST", "/v1/turns", body, accept="text/event-stream") as response:
        await until_speaking(slow, response)
        newer = {"input": "Stop.", "session_id": session, "if_busy": if_busy}
        async with request(slow, "POST", "/v1/turns", newer, accept="text/event-stream") as second:
            last = [event async for event in slow.events(second)][-1]
        older = [event async for event in slow.events(response)][-1]

    assert (older["type"], older["why"]) == ("turn.cancelled", why)
    assert last["type"] == "turn.saved"


async def test_a_waiting_turn_shows_its_place_and_its_words(slow: Stack) -> None:
    session = f"wait-{uuid4().hex[:6]}"
    _, running = await slow.call("POST", "/v1/turns", {"input": words(60), "session_id": session})
    _, waiting = await slow.call("POST", "/v1/turns", {"input": "And then?", "session_id": session})

    status, view = await slow.call("GET", waiting["links"]["self"])
    await slow.call("POST", f"/v1/turns/{waiting['id']}/cancel")
    await slow.call("POST", f"/v1/turns/{running['id']}/cancel")

    assert (status, view["status"], view["input"]) == (200, "queued", "And then?")
    assert view["position"] >= 0
    assert view["estimate_seconds"] >= 0
    assert (await events_of(slow, waiting["id"]))[-1]["type"] == "turn.cancelled"
