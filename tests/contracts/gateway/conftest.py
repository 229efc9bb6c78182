"""What several tests of the gateway stand on."""

from collections.abc import AsyncIterator

import pytest

from shared.bus.endpoints import endpoints_of
from tests.contracts.gateway.gateway_room import Indexer
from tests.servers.nats import bus_to


@pytest.fixture
async def indexer(url: str) -> AsyncIterator[Indexer]:
    answers = Indexer()
    async with bus_to(url, "indexer") as other:
        await other.serve("a few lines", endpoints_of(answers))
        yield answers
