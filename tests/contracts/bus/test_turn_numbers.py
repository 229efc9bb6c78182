"""Where turn numbers begin after NATS has lost its store: never where a number was given already."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.orchestrator.queue.declaration import declare, first_turn_number
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint_of
from shared.contract.requests import Count, CountReply
from tests.servers.nats import bus_to
from tests.unit.samples import requested

PATIENCE = 30.0
LIMIT = 100


class Documents:
    """Turn folders with this number the highest."""

    def __init__(self, highest: int) -> None:
        self._highest = highest

    async def highest_turn_number(self) -> int:
        return self._highest


@pytest.fixture
def url(empty_url: str) -> str:
    return empty_url


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    async with bus_to(url) as connected:
        yield connected


@asynccontextmanager
async def indexer(url: str, highest: int) -> AsyncIterator[None]:
    async def count(request: Count) -> CountReply:
        return CountReply(rows=highest, points=highest, highest_turn_number=highest)

    async with bus_to(url, "indexer") as own:
        await own.serve("a test", [endpoint_of(count)])
        yield


async def first(bus: Bus, documents: int, patience: float = PATIENCE) -> int:
    return await first_turn_number(bus, Documents(documents), LIMIT, patience_seconds=patience)


async def test_the_first_turn_of_all_is_number_one(url: str, bus: Bus) -> None:
    async with indexer(url, 0):
        assert await first(bus, documents=0) == 1


async def test_numbers_go_on_behind_the_documents_and_whatever_waited(bus: Bus) -> None:
    assert await first(bus, documents=42) == 42 + LIMIT + 1


async def test_where_the_documents_are_lost_too_the_indexer_is_waited_for(url: str, bus: Bus) -> None:
    asking = asyncio.create_task(first(bus, documents=0))
    await asyncio.sleep(0.5)

    async with indexer(url, 41):
        assert await asking == 41 + LIMIT + 1


async def test_without_an_indexer_the_start_goes_on_and_says_so(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert await first(bus, documents=0, patience=0.1) == 1

    assert "the indexer did not say" in caplog.text


async def test_a_queue_that_is_there_counts_on_by_itself_and_nobody_is_asked(bus: Bus) -> None:
    await declare(bus, Documents(42), queue_limit=LIMIT, replicas=1)
    number = await bus.publish(requested("t1"))

    async with asyncio.timeout(4):
        await declare(bus, Documents(0), queue_limit=LIMIT, replicas=1)

    assert await bus.publish(requested("t2")) == number + 1 == 42 + LIMIT + 2
