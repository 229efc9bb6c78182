"""Two connections to one NATS server: of the process that asks, and of the worker."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from shared.bus.connection import Bus
from tests.servers.nats import bus_to


@pytest.fixture
async def buses(nats_url: str) -> AsyncIterator[tuple[Bus, Bus]]:
    async with AsyncExitStack() as stack:
        client, worker = [
            await stack.enter_async_context(bus_to(nats_url, name)) for name in ("test", "inference")
        ]
        yield client, worker
