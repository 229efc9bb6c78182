"""What the tests of the `openai` engine share."""

from collections.abc import AsyncIterator

import pytest

from tests.contracts.inference.engines_server import ChatServer, chat_server


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with chat_server() as server:
        yield server
