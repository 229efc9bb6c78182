"""Turns with a generative engine: a real OpenAI-compatible server on loopback, and the real stack."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.contracts.inference.engines_server import ChatServer, chat_server
from tests.contracts.inference.raw_answers import (
    END,
    PAGE,
    SENTENCE,
    RawAnswer,
    choice,
    completion,
    document,
    event,
    stream,
    word_events,
)
from tests.stack import Stack


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[ChatServer]:
    async with chat_server() as running:
        yield running


@pytest.fixture(scope="module")
async def generative(server: ChatServer) -> AsyncIterator[Stack]:
    stack = Stack(
        # Without the reflector, which asks the server whenever it is idle: see test_reflector.py.
        {"INFERENCE_ENGINE": "openai", "OPENAI_BASE_URL": server.url, "MODEL": "parrot", "REFLECTOR": "off"},
    )
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


async def test_the_model_is_shown_the_session_and_what_memory_holds(
    generative: Stack, server: ChatServer
) -> None:
    name = f"Mira{uuid4().hex[:6]}"
    told = await generative.tell(f"My sister {name} lives in Lisbon.", session_id=f"a-{name}")
    await generative.ask("The weather is fine.", session_id=f"b-{name}")

    answered = await generative.ask(f"Where does {name} live?", session_id=f"b-{name}")

    messages = server.bodies[-1]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[1]["content"] == "The weather is fine."
    assert f"[turn {told['turn_number']}]" in messages[-1]["content"]
    assert "Lisbon" in messages[-1]["content"]
    assert answered["model"] == "parrot"
    assert told["turn_id"] in {source["turn_id"] for source in answered["sources"]}
    assert answered["usage"]["output_tokens"] > 0


async def test_an_abort_ends_the_generation_and_keeps_what_was_said(
    generative: Stack, server: ChatServer
) -> None:
    server.word_seconds = 0.05
    left_before = server.left_early
    try:
        _, accepted = await generative.call("POST", "/v1/turns", {"input": "word " * 200})
        events: list[dict[str, Any]] = []
        url = generative.gateway_url + accepted["links"]["events"]
        async with (
            asyncio.timeout(30),
            aiohttp.ClientSession(headers=generative.headers()) as http,
            http.get(url) as response,
        ):
            async for event in generative.events(response):
                events.append(event)
                if sum(event["type"] == "output.delta" for event in events) == 3:
                    await _abort(generative, accepted["id"])
    finally:
        server.word_seconds = 0.0

    assert events[-1]["type"] == "turn.cancelled"
    assert [event["index"] for event in events] == list(range(len(events)))
    said = "".join(event["text"] for event in events if event["type"] == "output.delta")
    _, view = await generative.call("GET", accepted["links"]["self"])
    assert (view["status"], view["output"]) == ("cancelled", said)
    assert 3 <= len(said.split()) < 200
    assert server.left_early == left_before + 1
    query = "SELECT 1 FROM pandora.turns WHERE turn_id = $1 AND status = 'saved'"
    assert not await generative.rows(query, accepted["id"])


async def test_what_the_server_refuses_fails_the_turn_with_its_words(
    generative: Stack, server: ChatServer
) -> None:
    server.script = [400]

    events = await generative.stream("Hello.")

    assert events[-1]["type"] == "turn.failed"
    assert "scripted 400" in events[-1]["detail"]
    assert [event["index"] for event in events] == list(range(len(events)))
    _, view = await generative.call("GET", f"/v1/turns/{events[-1]['turn_id']}")
    assert view["status"] == "failed"
    assert "scripted 400" in view["error"]


@pytest.mark.parametrize(
    ("answer", "requests", "why"),
    [
        (document(PAGE), 1, "OPENAI_BASE_URL"),
        (document({"error": {"message": "Pay.", "code": "insufficient_quota"}}, 429), 1, "is used up"),
        (stream(*word_events(finish_reason="")[:4], drops=True), 1, "broke off"),
        (stream(event(choice({}, "content_filter"))), 1, "content filter"),
        (stream(event(choice({"content": "<think> Hm."})), END), 1, "empty answer"),
        (stream(event(choice({"role": "assistant"})), drops=True), 3, "may have been charged for"),
        (502, 3, "scripted 502"),
    ],
)
async def test_no_layer_pays_for_a_turn_more_than_three_times(
    generative: Stack, server: ChatServer, answer: int | RawAnswer, requests: int, why: str
) -> None:
    server.script, before = [answer] * 40, len(server.bodies)
    try:
        events = await generative.stream("When does the ferry leave?")
    finally:
        server.script = []

    assert events[-1]["type"] == "turn.failed"
    assert why in events[-1]["detail"]
    assert len(server.bodies) == before + requests


async def test_a_turn_says_that_its_server_asked_to_wait(generative: Stack, server: ChatServer) -> None:
    busy = {"error": {"message": "slow down", "type": "rate_limit_error"}}
    server.script = [document(busy, 429, **{"Retry-After": "8.5"}), completion(SENTENCE)]

    events = await generative.stream("When does the ferry leave?")

    [paused] = [event for event in events if event["type"] == "turn.paused"]
    assert paused["seconds"] == 8.5
    assert "asks to wait 8.5 s" in paused["reason"]
    assert (events[-1]["type"], events[-1]["output"]) == ("turn.saved", SENTENCE)
    assert [event["index"] for event in events] == list(range(len(events)))


async def test_an_engine_that_dies_in_the_middle_is_asked_again_and_no_reader_joins_two_halves(
    generative: Stack, server: ChatServer
) -> None:
    said = " ".join(f"w{number}" for number in range(60))
    server.word_seconds = 0.03
    try:
        _, accepted = await generative.call("POST", "/v1/turns", {"input": said})
        events: list[dict[str, Any]] = []
        killed = False
        url = generative.gateway_url + accepted["links"]["events"]
        async with (
            asyncio.timeout(60),
            aiohttp.ClientSession(headers=generative.headers()) as http,
            http.get(url) as response,
        ):
            async for event in generative.events(response):
                events.append(event)
                if event["type"] == "output.delta" and not killed:
                    os.kill(generative.pid_of("inference"), signal.SIGKILL)
                    killed = True
    finally:
        server.word_seconds = 0.0
        await generative.until_ready()

    types = [event["type"] for event in events]
    assert types[-1] == "turn.saved", events[-1]
    restarted = types.index("output.restarted")
    assert "output.delta" in types[:restarted]
    joined = "".join(event["text"] for event in events[restarted:] if event["type"] == "output.delta")
    assert joined == events[-1]["output"]
    assert joined.endswith("w59")


async def _abort(stack: Stack, turn_id: str) -> None:
    client = await stack.bus()
    await client.publish("inference.abort", json.dumps({"request_id": f"{turn_id}:1"}).encode())
    await client.close()
