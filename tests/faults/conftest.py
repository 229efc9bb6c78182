"""The engine of the installations that are hurt: a server of the tests, as slow as a test wants it."""

from collections.abc import AsyncIterator

import pytest

from tests.contracts.inference.engines_server import ChatServer, chat_server


@pytest.fixture(scope="package")
async def engine() -> AsyncIterator[ChatServer]:
    async with chat_server() as running:
        yield running


@pytest.fixture
def slow(engine: ChatServer) -> ChatServer:
    """A tenth of a second for each word."""
    engine.script.clear()
    engine.word_seconds = 0.1
    return engine
