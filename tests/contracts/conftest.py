"""A bus of one's own: a nats-server with the streams and nothing in them, one for each test."""

from collections.abc import AsyncIterator

import pytest

from shared.bus import Bus
from shared.streams import declare_streams
from tests.contracts.nats_server import bus_to, nats_server


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A nats-server with the streams and nothing in them."""
    async with nats_server() as address:
        async with bus_to(address) as bus:
            await declare_streams(bus.jetstream, first_turn_number=1)
        yield address


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    async with bus_to(url) as connected:
        yield connected
