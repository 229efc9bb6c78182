"""A tail gives every message of a stream once and in order, whatever happens to the server in between."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.js.api import StreamConfig

from shared.bus.connection import Bus
from shared.bus.tail import Tail
from tests.servers.nats import NatsServer, bus_to, nats_in_hand
from tests.servers.proxy import Proxy, proxy_to

STREAM = "LINES"
SOON_SECONDS = 10.0


class Reader:
    """Reads the stream LINES, and keeps what it is told."""

    def __init__(self, bus: Bus, **options: Any) -> None:
        self.bus = bus
        self.lines: list[str] = []
        self.sequences: list[int] = []
        self.headers: list[dict[str, str] | None] = []
        self.losses = 0
        self.declarations = 0
        self.tail = Tail(bus, STREAM, take=self._take, lost=self._lose, missing=self._declare, **options)

    def _take(self, message: Msg) -> None:
        self.lines.append(message.data.decode())
        self.sequences.append(message.metadata.sequence.stream)
        self.headers.append(message.headers)

    def _lose(self) -> None:
        self.losses += 1

    async def _declare(self) -> None:
        self.declarations += 1
        await declare(self.bus)

    async def until(self, *lines: str, seconds: float = SOON_SECONDS) -> None:
        """Until these are all that was read, and nothing else follows for a moment."""
        async with asyncio.timeout(seconds):
            while len(self.lines) < len(lines):  # noqa: ASYNC110  # a list has no event for it
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert self.lines == list(lines)


@asynccontextmanager
async def reading(bus: Bus, **options: Any) -> AsyncIterator[Reader]:
    reader = Reader(bus, **options)
    task = asyncio.create_task(reader.tail.run())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def cut_off_reader(server: NatsServer) -> AsyncIterator[tuple[Reader, Proxy]]:
    """A reader whose connection goes through a proxy."""
    async with (
        proxy_to(server.port) as proxy,
        bus_to(f"nats://127.0.0.1:{proxy.port}") as far,
        reading(far) as reader,
    ):
        yield reader, proxy


@pytest.fixture
async def server() -> AsyncIterator[NatsServer]:
    async with nats_in_hand() as started:
        yield started


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[Bus]:
    async with bus_to(server.url, timeout=2.0, retry_seconds=15.0) as connected:
        await declare(connected)
        yield connected


async def declare(bus: Bus) -> None:
    await bus.jetstream.add_stream(StreamConfig(name=STREAM, subjects=["lines", "noise"]))


async def store(bus: Bus, *lines: str) -> None:
    for line in lines:
        await bus.store("lines", line.encode(), {"Nats-Msg-Id": line, "Line": line})


async def store_many(bus: Bus) -> list[str]:
    lines = [f"{number}:{'x' * 1000}" for number in range(5_000)]
    for line in lines:
        await bus.connection.publish("lines", line.encode())
    async with asyncio.timeout(SOON_SECONDS):
        while (await bus.jetstream.stream_info(STREAM)).state.messages < len(lines):  # noqa: ASYNC110  # JetStream tells nobody
            await asyncio.sleep(0.05)
    return lines


async def test_what_is_there_is_read_first_and_then_what_comes(bus: Bus) -> None:
    await store(bus, "one", "two")
    async with reading(bus) as reader:
        await asyncio.wait_for(reader.tail.caught_up.wait(), SOON_SECONDS)
        assert reader.lines == ["one", "two"]

        await store(bus, "three")
        await reader.until("one", "two", "three")

    assert reader.sequences == [1, 2, 3]


async def test_an_empty_stream_is_known_at_once(bus: Bus) -> None:
    async with reading(bus) as reader:
        await asyncio.wait_for(reader.tail.caught_up.wait(), SOON_SECONDS)

        assert reader.lines == []


async def test_what_was_deleted_leaves_no_gap(bus: Bus) -> None:
    await store(bus, "one", "two", "three", "four")
    await bus.jetstream.delete_msg(STREAM, 2)
    await bus.jetstream.delete_msg(STREAM, 4)
    async with reading(bus) as reader:
        await asyncio.wait_for(reader.tail.caught_up.wait(), SOON_SECONDS)
        await store(bus, "five")

        await reader.until("one", "three", "five")


async def test_headers_alone_are_read_where_the_rest_is_not_needed(bus: Bus) -> None:
    await store(bus, "one")
    async with reading(bus, headers_only=True) as reader:
        await reader.until("")

    assert reader.headers[0] is not None
    assert reader.headers[0]["Line"] == "one"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_server_that_is_started_again_is_read_on(
    server: NatsServer, bus: Bus, number: signal.Signals
) -> None:
    await store(bus, "one", "two")
    async with reading(bus) as reader:
        await reader.until("one", "two")
        await server.stop(number)
        await asyncio.sleep(0.3)
        await server.start()

        await store(bus, "three", "four")
        await reader.until("one", "two", "three", "four")

        assert reader.losses == 0


async def test_a_server_that_was_silent_for_long_is_read_on(server: NatsServer, bus: Bus) -> None:
    async with reading(bus) as reader:
        await store(bus, "one")
        await reader.until("one")
        with server.frozen():
            await asyncio.sleep(5.0)

        await store(bus, "two")
        await reader.until("one", "two")


async def test_a_reader_whose_place_the_server_has_forgotten_is_read_on(bus: Bus) -> None:
    """As a server does that lost its memory, while the connection stands."""
    async with reading(bus) as reader:
        await store(bus, "one")
        await reader.until("one")
        for consumer in await bus.jetstream.consumers_info(STREAM):
            await bus.jetstream.delete_consumer(STREAM, consumer.name)

        await store(bus, "two")
        await reader.until("one", "two")


# nats-py leaves the socket of an attempt to connect that was cut off to the garbage collector.
cut_off = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@cut_off
async def test_a_reader_that_is_cut_off_reads_on_where_it_was(server: NatsServer, bus: Bus) -> None:
    async with cut_off_reader(server) as (reader, proxy):
        await store(bus, "one")
        await reader.until("one")
        proxy.cut()
        await store(bus, "two", "three")
        await asyncio.sleep(1.5)
        proxy.heal()
        await store(bus, "four")

        await reader.until("one", "two", "three", "four")

    assert reader.losses == 0


@cut_off
async def test_a_reader_that_is_cut_off_within_a_backlog_reads_each_message_once(
    server: NatsServer, bus: Bus
) -> None:
    lines = await store_many(bus)
    async with cut_off_reader(server) as (reader, proxy):
        while len(reader.lines) < len(lines) / 10:  # noqa: ASYNC110  # a list has no event for it
            await asyncio.sleep(0)
        proxy.cut()
        assert len(reader.lines) < len(lines)
        await asyncio.sleep(0.5)
        proxy.heal()

        await reader.until(*lines)


async def test_messages_that_the_client_drops_are_read_again(bus: Bus) -> None:
    """nats-py drops what arrives faster than it is taken, beyond a limit that this test sets to nothing."""
    async with reading(bus) as reader:
        await store(bus, "one")
        await reader.until("one")
        (consumer,) = await bus.jetstream.consumers_info(STREAM)
        inboxes = {subscription.subject: subscription for subscription in bus.connection._subs.values()}
        inbox = inboxes[str(consumer.config.deliver_subject)]
        inbox._pending_bytes_limit = 1
        await store(bus, "two", "three")
        inbox._pending_bytes_limit = 1024 * 1024
        await store(bus, "four")

        await reader.until("one", "two", "three", "four")


async def test_a_large_backlog_is_read_whole(bus: Bus) -> None:
    lines = await store_many(bus)
    async with reading(bus) as reader:
        await asyncio.wait_for(reader.tail.caught_up.wait(), SOON_SECONDS)

        assert reader.lines == lines


async def test_a_stream_that_was_made_anew_is_read_from_its_beginning(bus: Bus) -> None:
    """Its numbers begin again: what was read before says nothing about it."""
    async with reading(bus) as reader:
        await store(bus, "one", "two")
        await reader.until("one", "two")
        await bus.jetstream.delete_stream(STREAM)
        await declare(bus)
        await store(bus, "new")

        await reader.until("one", "two", "new")

    assert reader.losses == 1
    assert reader.sequences == [1, 2, 1]


async def test_a_stream_that_is_not_there_is_declared_and_read(bus: Bus) -> None:
    await bus.jetstream.delete_stream(STREAM)
    async with reading(bus) as reader:
        await asyncio.wait_for(reader.tail.caught_up.wait(), SOON_SECONDS)
        await store(bus, "one")
        await reader.until("one")

    assert reader.declarations == 1
    assert reader.losses == 0


async def test_a_server_that_lost_its_store_is_read_from_its_beginning(server: NatsServer, bus: Bus) -> None:
    async with reading(bus) as reader:
        await store(bus, "one", "two")
        await reader.until("one", "two")
        await server.stop(signal.SIGKILL)
        shutil.rmtree(server.store)
        await server.start()

        async with asyncio.timeout(SOON_SECONDS):
            while not reader.declarations:  # noqa: ASYNC110  # a number has no event
                await asyncio.sleep(0.05)
        await store(bus, "new")
        await reader.until("one", "two", "new")

    assert reader.losses == 1


async def test_it_is_known_whether_all_was_read(bus: Bus) -> None:
    async with reading(bus) as reader:
        assert await reader.tail.is_behind(), "before it has begun"
        await asyncio.wait_for(reader.tail.caught_up.wait(), SOON_SECONDS)
        await store(bus, "one")
        await reader.until("one")

        assert not await reader.tail.is_behind()

        await bus.jetstream.delete_stream(STREAM)
        assert await reader.tail.is_behind(), "nobody can tell"


async def test_what_is_not_for_it_leaves_nothing_unread(bus: Bus) -> None:
    """Messages of another subject, and those that left the stream before it began to read."""
    await store(bus, "one", "two")
    await bus.jetstream.purge_stream(STREAM)
    async with reading(bus, subject="lines") as reader:
        await asyncio.wait_for(reader.tail.caught_up.wait(), SOON_SECONDS)
        assert not await reader.tail.is_behind()

        await store(bus, "three")
        await reader.until("three")
        await bus.store("noise", b"", {})
        assert not await reader.tail.is_behind()
