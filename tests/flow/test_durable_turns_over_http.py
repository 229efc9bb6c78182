"""Turns asked for twice, stopped, steered, left and read again: over HTTP, through every real part."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from uuid import uuid4

import nats
import pytest

from tests.contracts.engines_server import ChatServer, chat_server
from tests.flow.http_turns import events_of, key, post, request, second_gateway, until_speaking, words
from tests.stack import Stack, pause


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[ChatServer]:
    async with chat_server() as running:
        yield running


@pytest.fixture(scope="module")
async def slow(server: ChatServer) -> AsyncIterator[Stack]:
    """A stack whose model repeats what it is shown, 20 words a second, and is shown no memory."""
    server.word_seconds = 0.05
    settings = {"INFERENCE_ENGINE": "openai", "OPENAI_BASE_URL": server.url, "MODEL": "parrot"}
    stack = Stack(settings | {"CONTEXT_PASSAGES": "0"})
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


# --- the same request again ---


async def test_the_same_key_and_body_is_the_same_turn(stack: Stack) -> None:
    body, one = {"input": "The barn is red.", "metadata": {"a": "1", "b": "2"}}, key()

    first = await post(stack, body, one)
    again = await post(stack, {"metadata": {"b": "2", "a": "1"}, "input": "The barn is red."}, one)
    await stack.until_indexed(first[1]["id"])
    later = await post(stack, body, one)
    other = await post(stack, body, key())

    assert first[0] == 202
    assert first == again == later
    assert other[1]["id"] != first[1]["id"]
    rows = await stack.rows("SELECT 1 FROM pandora.turns WHERE session_id = $1", first[1]["session_id"])
    assert len(rows) == 1


async def test_the_same_key_with_another_body_is_refused_and_says_what_to_do(stack: Stack) -> None:
    one = key()
    await post(stack, {"input": "The barn is red."}, one)

    status, problem = await post(stack, {"input": "The barn is blue."}, one)

    assert (status, problem["field"]) == (409, "Idempotency-Key")
    assert "use a new key for another turn" in problem["detail"]


async def test_two_users_may_use_the_same_key(stack: Stack) -> None:
    one = key()
    async with request(stack, "POST", "/v1/turns", {"input": "Hello."}, idempotency_key=one) as response:
        mine = await response.json()
    async with request(
        stack, "POST", "/v1/turns", {"input": "Hi."}, idempotency_key=one, **stack.headers("bob")
    ) as response:
        theirs = await response.json()

    assert mine["id"] != theirs["id"]


async def test_twenty_requests_with_one_key_at_once_through_two_gateways_are_one_turn(stack: Stack) -> None:
    one, body = key(), {"input": "The ferry leaves at nine."}
    async with second_gateway(stack) as (url, _):
        answers = await asyncio.gather(
            *(post(stack, body, one, url=url if number % 2 else None) for number in range(20))
        )

    assert {status for status, _ in answers} == {202}
    assert len({(answer["id"], answer["turn_number"], answer["session_id"]) for _, answer in answers}) == 1
    await stack.until_indexed(answers[0][1]["id"])
    rows = await stack.rows("SELECT 1 FROM pandora.turns WHERE session_id = $1", answers[0][1]["session_id"])
    assert len(rows) == 1


async def test_a_stream_asked_for_again_with_the_same_key_begins_at_its_start(slow: Stack) -> None:
    one, body = key(), {"input": words(30)}
    headers = {"idempotency_key": one, "accept": "text/event-stream"}
    async with request(slow, "POST", "/v1/turns", body, **headers) as response:
        before = await until_speaking(slow, response)

    async with request(slow, "POST", "/v1/turns", body, **headers) as response:
        again = [event async for event in slow.events(response)]
    async with request(slow, "POST", "/v1/turns", body, **headers) as response:
        after_the_end = [event async for event in slow.events(response)]

    assert again[: len(before)] == before
    assert again[-1]["type"] == "turn.saved"
    assert [event["index"] for event in again] == list(range(len(again)))
    assert after_the_end == again


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 256, "ü"])
async def test_a_key_that_is_none_is_refused_by_the_headers_name(stack: Stack, given: str) -> None:
    status, problem = await post(stack, {"input": "Hello."}, given)

    assert (status, problem["field"]) == (400, "Idempotency-Key")
    assert "1 to 255 visible ASCII" in problem["detail"]


async def test_a_refused_body_does_not_use_up_its_key(stack: Stack) -> None:
    one = key()

    refused = await post(stack, {"input": "Hello.", "recipe": "cake"}, one)
    accepted = await post(stack, {"input": "Hello."}, one)

    assert (refused[0], accepted[0]) == (422, 202)


# --- stop and steer ---


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


async def test_a_turn_that_has_ended_stays_as_it_is(stack: Stack) -> None:
    turn_id = (await stack.ask("The well is deep."))["turn_id"]

    status, answer = await stack.call("POST", f"/v1/turns/{turn_id}/cancel")
    steered, problem = await stack.call("POST", f"/v1/turns/{turn_id}/steer", {"text": "and cold"})

    assert (status, answer["found"], answer["done"]) == (200, "saved", False)
    assert (steered, problem["title"]) == (409, "Not possible as things stand")
    assert (await stack.call("GET", f"/v1/turns/{turn_id}"))[1]["status"] == "saved"


@pytest.mark.parametrize(("action", "body"), [("cancel", None), ("steer", {"text": "more"})])
async def test_nobody_controls_a_strangers_turn(stack: Stack, action: str, body: object) -> None:
    turn_id = (await stack.ask("The well is deep.", user="alice"))["turn_id"]

    for path in (f"/v1/turns/{turn_id}/{action}", f"/v1/turns/unknown/{action}"):
        status, problem = await stack.call("POST", path, body, user="bob")
        assert status == 404, problem


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": ""}, 422),
        ({"text": " \n"}, 422),
        ({}, 422),
        ({"text": 7}, 422),
        ({"text": "x", "colour": "red"}, 422),
        ({"text": "x" * (256 * 1024 + 1)}, 413),
    ],
)
async def test_steering_that_says_nothing_or_too_much_is_refused(
    stack: Stack, body: object, status: int
) -> None:
    answered, problem = await stack.call("POST", "/v1/turns/t/steer", body)

    assert answered == status
    assert problem["field"] in ("text", "colour")


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


# --- leaving ---


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


# --- a busy session ---


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


# --- coming back ---


async def test_a_reader_goes_on_at_another_gateway_where_the_first_one_left_it(slow: Stack) -> None:
    async with second_gateway(slow) as (url, process):
        async with request(
            slow, "POST", "/v1/turns", {"input": words(60)}, url=url, accept="text/event-stream"
        ) as response:
            events = await until_speaking(slow, response)
            process.send_signal(signal.SIGTERM)
            text = (await response.content.read()).decode()
        assert await asyncio.to_thread(process.wait, 10) == 0
    ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    last = int(ids[-1]) if ids else events[-1]["index"]

    rest = await events_of(slow, events[0]["turn_id"], after=last)

    assert text.endswith("retry: 500\n: this gateway stops; come back with Last-Event-ID\n\n")
    assert [event["index"] for event in rest] == list(range(last + 1, rest[-1]["index"] + 1))
    assert rest[-1]["type"] == "turn.saved"


async def test_a_reader_who_has_everything_is_let_go(stack: Stack) -> None:
    last = await stack.ask("The mill is old.")

    assert await events_of(stack, last["turn_id"], after=last["index"]) == []
    assert await events_of(stack, last["turn_id"], after=last["index"] + 100) == []


async def test_every_event_is_there_long_after_the_live_ones_have_expired(stack: Stack) -> None:
    events = await stack.stream("The mill has two wheels.")
    turn_id = events[-1]["turn_id"]
    await purge_live(stack, turn_id)

    assert await events_of(stack, turn_id) == events
    assert await events_of(stack, turn_id, after=4) == events[5:]
    assert (await stack.call("GET", f"/v1/turns/{turn_id}/events", user="bob"))[0] == 404


async def purge_live(stack: Stack, turn_id: str) -> None:
    client = await nats.connect(stack.nats_url)
    try:
        await client.jetstream().purge_stream("LIVE", subject=f"turn.stream.{turn_id}")
    finally:
        await client.close()
