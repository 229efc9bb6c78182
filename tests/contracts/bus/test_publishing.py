"""Storing while servers come and go: a real nats-server that is killed, frozen and started again."""

import asyncio
import signal
from collections.abc import AsyncIterator
from time import monotonic

import pytest
from nats.js.errors import NotFoundError

from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.contract.errors import Transient
from shared.contract.events import OutputDelta
from tests.servers.nats import NatsServer, bus_to, nats_in_hand, state
from tests.unit.samples import requested

PATIENCE = 30.0
"""Seconds that no test should need."""


@pytest.fixture
async def server() -> AsyncIterator[NatsServer]:
    """With the streams and nothing in them."""
    async with nats_in_hand() as started:
        async with bus_to(started.url) as bus:
            await declare_streams(bus.jetstream, first_turn_number=1)
        yield started


async def until_lost(bus: Bus) -> None:
    async with asyncio.timeout(PATIENCE):
        while bus.connection.is_connected:  # noqa: ASYNC110  # nats-py tells one callback, and the bus has it
            await asyncio.sleep(0.01)


async def seconds_until_refused(bus: Bus, turn: str) -> float:
    begun = monotonic()
    with pytest.raises(Transient):
        await bus.publish(requested(turn))
    return monotonic() - begun


async def test_a_publish_outlives_a_restart_of_the_server_and_is_stored_once(server: NatsServer) -> None:
    async with bus_to(server.url, retry_seconds=PATIENCE) as bus:
        first = await bus.publish(requested("t1"))
        await server.stop(signal.SIGKILL)
        waiting = [asyncio.create_task(bus.publish(requested(f"t{n}"))) for n in (2, 3)]
        await asyncio.sleep(1.0)

        await server.start()

        assert sorted(await asyncio.gather(*waiting)) == [first + 1, first + 2]
        assert await bus.publish(requested("t2")) in (first + 1, first + 2)
        assert (await state(bus, "TURNS")).messages == 3


async def test_a_publish_whose_answer_came_too_late_is_stored_once(server: NatsServer) -> None:
    async with bus_to(server.url, timeout=0.2, retry_seconds=PATIENCE) as bus:
        with server.frozen():
            waiting = asyncio.create_task(bus.publish(requested("t1")))
            await asyncio.sleep(1.0)

        assert await waiting == 1
        assert (await state(bus, "TURNS")).messages == 1


async def test_a_publish_waits_for_a_stream_that_is_being_made_again(server: NatsServer) -> None:
    async with bus_to(server.url, retry_seconds=PATIENCE) as bus:
        await bus.jetstream.delete_stream("TURNS")
        waiting = asyncio.create_task(bus.publish(requested("t1")))
        await asyncio.sleep(0.5)
        with pytest.raises(NotFoundError):
            await bus.jetstream.stream_info("TURNS")

        await declare_streams(bus.jetstream, first_turn_number=743)

        assert await waiting == 743


async def test_an_outage_that_lasts_is_said_when_the_time_is_up(server: NatsServer) -> None:
    async with bus_to(server.url, retry_seconds=0.5) as bus:
        await server.stop()
        await until_lost(bus)

        assert 0.25 < await seconds_until_refused(bus, "t1") < PATIENCE


async def test_without_a_message_id_nothing_is_sent_twice(server: NatsServer) -> None:
    async with bus_to(server.url, timeout=0.2, retry_seconds=PATIENCE) as bus:
        with server.frozen(), pytest.raises(Transient):
            await bus.store("turn.stream.t1", b"{}", {})
        await bus.connection.flush()

        assert (await state(bus, "LIVE")).messages == 1


async def test_where_people_wait_an_outage_that_is_known_is_said_at_once(server: NatsServer) -> None:
    async with bus_to(server.url, retry_seconds=PATIENCE, hold_seconds=0.5) as bus:
        await server.stop()
        await until_lost(bus)
        held = asyncio.create_task(bus.publish(requested("t1")))
        await asyncio.sleep(0.6)

        assert await seconds_until_refused(bus, "t2") < PATIENCE / 2

        await server.start()
        assert await held == 1
        assert await bus.publish(requested("t3")) == 2


async def test_while_the_server_is_silent_one_caller_asks_and_the_others_are_told(server: NatsServer) -> None:
    async with bus_to(server.url, timeout=1.5, retry_seconds=2.0, hold_seconds=1.6) as bus:
        with server.frozen():
            await seconds_until_refused(bus, "t1")
            spent = await asyncio.gather(*(seconds_until_refused(bus, f"t{n}") for n in range(2, 12)))

        assert len([seconds for seconds in spent if seconds > 0.75]) == 1
        assert await bus.publish(requested("t12")) > 0


async def test_what_cannot_be_kept_until_the_server_is_back_is_said(server: NatsServer) -> None:
    piece = OutputDelta(index=0, text="b" * 512 * 1024)
    async with bus_to(server.url) as bus:
        await server.stop()
        await until_lost(bus)
        for _ in range(15):
            await bus.emit("t1", piece)

        with pytest.raises(Transient, match=r"turn\.stream\.t1 cannot be sent: NATS is away"):
            await bus.emit("t1", piece)
