"""Tokens of requests to an engine's own model count towards LIMIT_TOKENS."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.bus.connection import Bus
from tests.contracts.gateway.gateway_room import Client
from tests.contracts.gateway.raw_room import raw_gateway
from tests.contracts.inference.engines_server import ChatServer

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


async def test_of_a_stream_that_is_left_what_came_counts(limited: Client, server: ChatServer) -> None:
    server.script = ["silence mid-stream"]
    async with limited.open("POST", PATH, CHAT | {"stream": True}) as response:
        said = b""
        while b"two" not in said:
            said += await response.content.readany()

    async with asyncio.timeout(20):
        while (await remaining(limited, PATH, CHAT | {"model": "none"}))[1] == 25:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.05)
