"""Copies on a real cluster of three servers: made, raised in place, and never taken away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.bus.durables import DURABLES
from shared.bus.streams import STREAMS
from shared.contract.errors import Transient
from tests.servers.nats import bus_to, nats_cluster, state
from tests.unit.samples import requested


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    async with (
        nats_cluster(tmp_path) as urls,
        bus_to(urls, "orchestrator", retry_seconds=15.0, users=tmp_path / "nats-users") as connected,
    ):
        yield connected


async def copies(bus: Bus) -> set[int]:
    """How many servers keep each stream and each durable."""
    found = set()
    for stream in STREAMS:
        cluster = (await bus.jetstream.stream_info(str(stream.name))).cluster
        found.add(1 + len((cluster and cluster.replicas) or []))
    for durable in DURABLES:
        cluster = (await bus.jetstream.consumer_info(durable.stream, durable.name)).cluster
        found.add(1 + len((cluster and cluster.replicas) or []))
    return found


async def until_copies(bus: Bus, count: int) -> None:
    """The servers take up a stream one after another, and its durables behind it."""
    async with asyncio.timeout(30):
        while await copies(bus) != {count}:  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.1)


async def test_copies_are_raised_in_place_and_never_taken_away(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1)
    assert await copies(bus) == {1}
    number = await bus.publish(requested("t1"))

    await declare_streams(bus.jetstream, first_turn_number=1, replicas=3)

    await until_copies(bus, 3)
    assert await bus.publish(requested("t1")) == number
    assert await bus.publish(requested("t2")) == number + 1

    await declare_streams(bus.jetstream, first_turn_number=1)

    assert await copies(bus) == {3}
    assert (await state(bus, "TURNS")).messages == 2


async def test_more_copies_than_servers_are_waited_for(bus: Bus) -> None:
    with pytest.raises(Transient, match=r"^NATS_REPLICAS=5: stream TURNS needs that many servers"):
        await declare_streams(bus.jetstream, first_turn_number=1, replicas=5)
