"""An installation whose model repeats what it is shown, 20 words a second, and is shown no memory."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contracts.inference.engines_server import ChatServer, chat_server
from tests.stack import Stack


@pytest.fixture(scope="package")
async def server() -> AsyncIterator[ChatServer]:
    async with chat_server() as running:
        running.word_seconds = 0.05
        yield running


@pytest.fixture(scope="package")
async def slow(server: ChatServer) -> AsyncIterator[Stack]:
    settings = {"INFERENCE_ENGINE": "openai", "OPENAI_BASE_URL": server.url, "MODEL": "parrot"}
    stack = Stack(settings | {"CONTEXT_PASSAGES": "0"})
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()
