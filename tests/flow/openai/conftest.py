"""The stack's first user as a client of OpenAI."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flow.openai.clients import client_of
from tests.stack import Stack


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Any]:
    async with client_of(stack) as connected:
        yield connected
