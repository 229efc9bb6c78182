"""Tokens of requests to an engine's own model count towards LIMIT_TOKENS."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.bus.connection import Bus
from shared.contract.events import TurnCancelled, TurnFailed, Usage
from tests.contracts.gateway.gateway_room import Client
from tests.contracts.gateway.raw_room import raw_gateway
from tests.contracts.inference.engines_server import ChatServer
from tests.contracts.inference.raw_answers import END, choice, event
from tests.contracts.inference.raw_answers import stream as raw_stream
from tests.servers.nats import bus_to

PATH = "/v1/chat/completions"
SAID = "one two three four five"
CHAT: dict[str, Any] = {"model": "parrot", "messages": [{"role": "user", "content": SAID}]}
"""10 tokens: the server counts words, of the question and of the answer, which is the same."""


@pytest.fixture
async def limited(bus: Bus, url: str, server: ChatServer) -> AsyncIterator[Client]:
    """A gateway that allows 25 tokens a day."""
    async with raw_gateway(bus, url, server, limit_tokens="25/day") as client:
        yield client


async def remaining(client: Client, path: str, body: dict[str, Any]) -> tuple[int, int]:
    """(status, tokens that remained before this request)."""
    async with client.open("POST", path, body) as response:
        await response.read()
        return response.status, int(response.headers.get("x-ratelimit-remaining-tokens", -1))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, CHAT),
        (PATH, CHAT | {"stream": True}),
        ("/v1/completions", {"model": "parrot", "prompt": SAID}),
        ("/v1/responses", {"model": "parrot", "input": SAID}),
        ("/v1/responses", {"model": "parrot", "input": SAID, "stream": True}),
    ],
)
async def test_what_the_engine_counted_is_taken_from_what_remains(
    limited: Client, path: str, body: dict[str, Any]
) -> None:
    assert [await remaining(limited, path, body) for _ in range(3)] == [(200, 25), (200, 15), (200, 5)]
    status, refused = await limited.call("POST", path, body)
    assert (status, "LIMIT_TOKENS" in refused["error"]["message"]) == (429, True)
    async with limited.open("POST", path, body, user="bob") as response:
        assert response.status == 200


async def test_a_turn_counts_however_it_ends(bus: Bus, url: str, limited: Client) -> None:
    now = datetime.now(UTC)
    turn: dict[str, Any] = {"turn_number": 1, "session_id": "kitchen", "user": "alice"}
    spent = Usage(input_tokens=6, output_tokens=4)
    async with bus_to(url, "orchestrator") as orchestrator:
        await orchestrator.publish(TurnCancelled(turn_id=str(uuid4()), cancelled_at=now, usage=spent, **turn))
        await orchestrator.publish(
            TurnFailed(turn_id=str(uuid4()), failed_at=now, reason="timeout", detail="", usage=spent, **turn)
        )

    async with asyncio.timeout(20):
        while (await remaining(limited, PATH, CHAT | {"model": "none"}))[1] != 5:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_without_a_word_is_one(limited: Client, server: ChatServer, stream: bool) -> None:
    server.script = [raw_stream(event(choice({}, "stop")), END)]
    async with limited.open("POST", PATH, CHAT | {"stream": stream}) as response:
        said = await response.text()

    assert response.status == 200
    assert '"finish_reason":"stop"' in said
    assert ('"content":""' in said, "error" in said) == (True, False)


async def test_of_a_stream_that_is_left_what_came_counts(limited: Client, server: ChatServer) -> None:
    server.script = ["silence mid-stream"]
    async with limited.open("POST", PATH, CHAT | {"stream": True}) as response:
        said = b""
        while b"two" not in said:
            said += await response.content.readany()

    async with asyncio.timeout(20):
        while (await remaining(limited, PATH, CHAT | {"model": "none"}))[1] == 25:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.05)
