"""More turns than there is room for: refused early, told their place, and fair between users."""

from typing import Any

import aiohttp

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import accept, ended, read_on, until_sent
from tests.stack import Stack


async def test_beyond_the_queue_turns_are_refused_at_once_and_told_when_to_come_again(
    small: Stack, slow: ChatServer
) -> None:
    ids = [await accept(small, "One two three four five", session_id=f"s{n}") for n in range(12)]

    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{small.gateway_url}/v1/turns", json={"input": "One more"}, headers=small.headers()
        ) as response,
    ):
        problem = await response.json()

    assert response.status == 503
    assert int(response.headers["retry-after"]) > 0
    assert "full" in problem["detail"]
    assert {(await ended(small, turn_id))["status"] for turn_id in ids} == {"saved"}
    assert (await small.ask("There is room again."))["type"] == "turn.saved"


async def test_a_waiting_turn_hears_its_place_as_it_moves(small: Stack, slow: ChatServer) -> None:
    slow.word_seconds = 0.3
    ids = [await accept(small, "One two three four five six", session_id=f"p{n}") for n in range(8)]

    events = await read_on([small.gateway_url], small, ids[-1])

    places = [event.get("position", 0) for event in events if event["type"] == "turn.queued"]
    assert len(places) >= 3
    assert places == sorted(places, reverse=True)
    assert max(places) in (3, 4, 5), "sent every second; the first two turns may have ended by then"
    for turn_id in ids:
        await ended(small, turn_id)


async def test_one_users_many_turns_do_not_make_another_user_wait_behind_them(
    small: Stack, slow: ChatServer
) -> None:
    slow.word_seconds = 0.1
    before = len(slow.bodies)
    crowd = [await accept(small, f"Crowd {n} one two", session_id=f"c{n}") for n in range(10)]
    await until_sent(lambda: len(slow.bodies) > before)
    one = await accept(small, "The only one", user="bob", session_id="bob")

    turn = await ended(small, one, user="bob")
    turns: list[dict[str, Any]] = [await ended(small, turn_id) for turn_id in crowd]

    later = [other for other in turns if other["ended_at"] > turn["ended_at"]]
    assert turn["status"] == "saved"
    assert len(later) >= 5, "of ten that came before it"


async def test_an_answer_that_takes_too_long_fails_with_its_reason_and_what_was_said(
    small: Stack, slow: ChatServer
) -> None:
    slow.script.append("silence mid-stream")

    turn = await ended(small, await accept(small, "One two three four"))

    assert turn["status"] == "failed"
    assert turn["error"].startswith("timeout: synthesis did not end within 4 s (SYNTHESIS_TIMEOUT_SECONDS)")
    assert turn["output"] == "One two"
    await until_sent(lambda: not slow.running, seconds=5)
