"""One installation, with a second orchestrator and gateway. Each test leaves it whole again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contracts.inference.engines_server import ChatServer
from tests.faults.replicas import Replica, replica
from tests.stack import Stack


@pytest.fixture(scope="package")
async def faulty(engine: ChatServer) -> AsyncIterator[Stack]:
    settings = {"INFERENCE_ENGINE": "openai", "OPENAI_BASE_URL": engine.url, "MODEL": "parrot"}
    stack = Stack(
        settings
        | {"REQUEST_TIMEOUT_SECONDS": "3", "STOP_TIMEOUT_SECONDS": "4", "CONTEXT_PASSAGES": "0"}
        | {"FORGET_ERASE_HOURS": "0"}
    )
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    assert not stack.leftovers()
    stack.remove()


@pytest.fixture(scope="package")
async def second_gateway(faulty: Stack) -> AsyncIterator[Replica]:
    async with replica(faulty, "gateway") as started:
        yield started


@pytest.fixture
async def second_orchestrator(faulty: Stack) -> AsyncIterator[Replica]:
    async with replica(faulty, "orchestrator") as started:
        yield started


@pytest.fixture(autouse=True)
async def whole_again(faulty: Stack) -> AsyncIterator[None]:
    yield
    await faulty.until_ready()
