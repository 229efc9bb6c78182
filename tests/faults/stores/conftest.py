"""One installation with room for few turns, whose stores are filled, rebuilt and lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contracts.inference.engines_server import ChatServer
from tests.stack import Stack

QUEUE_LIMIT = 12


@pytest.fixture(scope="package")
async def small(engine: ChatServer) -> AsyncIterator[Stack]:
    """Two turns at once, twelve in the queue."""
    stack = Stack(
        {
            "INFERENCE_ENGINE": "openai",
            "OPENAI_BASE_URL": engine.url,
            "MODEL": "parrot",
            "ORCHESTRATOR_CONCURRENCY": "2",
            "QUEUE_LIMIT_TURNS": str(QUEUE_LIMIT),
            "CONTEXT_PASSAGES": "0",
            "SYNTHESIS_TIMEOUT_SECONDS": "4",
        }
    )
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    assert not stack.leftovers()
    stack.remove()
