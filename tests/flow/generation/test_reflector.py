"""The reflector with a generative engine: it reads in the background, and believes only what was said."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contracts.inference.engines_server import ChatServer, chat_server
from tests.stack import Stack

SAID = "I moved to Porto last week. My neighbour Zita plays the cello, what a noise!"
ANSWER = [
    {
        "text": "My neighbour Zita plays the cello.",
        "kind": "fact",
        "subject": "Zita",
        "attribute": "",
        "value": "cello",
        "quote": "My neighbour Zita plays the cello",
    },
    {"text": "I own a boat.", "kind": "fact", "subject": "user", "value": "boat", "quote": "I own a boat"},
    {"nonsense": 1},
]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[ChatServer]:
    async with chat_server() as running:
        running.answer = f"Here you are: {json.dumps(ANSWER)}"
        yield running


@pytest.fixture(scope="module")
async def generative(server: ChatServer) -> AsyncIterator[Stack]:
    stack = Stack({"INFERENCE_ENGINE": "openai", "OPENAI_BASE_URL": server.url, "MODEL": "parrot"})
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


async def memories(stack: Stack, at_least: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while True:
            _, page = await stack.call("GET", "/v1/memories")
            if len(page["memories"]) >= at_least:
                return list(page["memories"])
            await asyncio.sleep(0.1)


async def test_what_an_engine_reads_is_kept_where_it_was_said(generative: Stack, server: ChatServer) -> None:
    said = await generative.tell(SAID)
    found = {one["value"]: one for one in await memories(generative, 2)}

    assert found.keys() == {"cello", "Porto"}
    assert found["cello"]["subject"] == "Zita"
    assert found["cello"]["confidence"] < found["Porto"]["confidence"]
    assert found["cello"]["evidence"][0]["turn_id"] == said["turn_id"]
    asked = [body for body in server.bodies if "JSON" in body["messages"][0]["content"]]
    assert len(asked) == 1
    assert json.loads(asked[0]["messages"][1]["content"]) == {"message": SAID}


async def test_an_engine_that_fails_costs_a_turn_nothing(generative: Stack, server: ChatServer) -> None:
    before = len(await memories(generative, 2))
    server.answer = "I would rather not."
    said = await generative.ask("I work at Globex.")

    assert said["output"]
    assert (await memories(generative, before + 1))[0]["value"] == "Globex"
