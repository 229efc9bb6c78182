"""Streams and durables: declared once, brought up to date in place, never deleted."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy, RetentionPolicy, StreamConfig

from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams, wait_for_streams
from shared.bus.durables import DURABLES, INDEXER_TURN_SAVED
from shared.bus.streams import STREAMS, TURNS
from shared.contract.errors import Refused, Transient
from shared.process.environment import SettingsError
from tests.servers.nats import bus_to
from tests.unit.samples import requested, saved


@pytest.fixture
async def bus(empty_url: str) -> AsyncIterator[Bus]:
    """Where there is nothing yet."""
    async with bus_to(empty_url) as connected:
        yield connected


async def declared(bus: Bus, name: str) -> StreamConfig:
    return (await bus.jetstream.stream_info(name)).config


async def test_every_stream_and_durable_is_there_after_the_first_start(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1)

    for stream in STREAMS:
        present = await declared(bus, str(stream.name))
        assert present.subjects == stream.subjects
        assert (present.retention, present.storage, present.discard or "old") == (
            stream.retention,
            stream.storage,
            stream.discard or "old",
        )
    for durable in DURABLES:
        consumer = (await bus.jetstream.consumer_info(durable.stream, durable.name)).config
        heard = consumer.filter_subjects or [consumer.filter_subject]
        assert (heard, consumer.max_deliver) == (durable.subjects, -1)
        assert consumer.ack_wait == durable.ack_wait_seconds


async def test_a_second_start_changes_nothing(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1)
    number = await bus.publish(requested("t1"))
    before = [await declared(bus, str(stream.name)) for stream in STREAMS]

    await declare_streams(bus.jetstream, first_turn_number=500)

    assert [await declared(bus, str(stream.name)) for stream in STREAMS] == before
    assert await bus.publish(requested("t2")) == number + 1


async def test_a_changed_declaration_is_updated_in_place_and_keeps_what_is_stored(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1, queue_limit=10)
    await bus.publish(requested("t1"))

    await declare_streams(bus.jetstream, first_turn_number=1, queue_limit=20)

    assert (await declared(bus, "TURNS")).max_msgs == 20
    assert (await bus.jetstream.stream_info("TURNS")).state.messages == 1


async def test_a_stream_of_another_kind_ends_with_an_error_and_loses_nothing(bus: Bus) -> None:
    other = dataclasses.replace(TURNS, retention=RetentionPolicy.WORK_QUEUE)
    await bus.jetstream.add_stream(other)
    await bus.publish(requested("t1"))

    with pytest.raises(SettingsError, match=r"^stream TURNS .*Nothing was deleted") as error:
        await declare_streams(bus.jetstream, first_turn_number=1)

    assert "\n" not in str(error.value)
    assert (await bus.jetstream.stream_info("TURNS")).state.messages == 1


async def test_a_durable_of_another_kind_ends_with_an_error(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1)
    await bus.jetstream.delete_consumer("OUTCOMES", INDEXER_TURN_SAVED.name)
    other: ConsumerConfig = dataclasses.replace(INDEXER_TURN_SAVED.config(), deliver_policy=DeliverPolicy.NEW)
    await bus.jetstream.add_consumer("OUTCOMES", other)

    with pytest.raises(SettingsError, match=r"^durable indexer-turn-saved .*Nothing was deleted"):
        await declare_streams(bus.jetstream, first_turn_number=1)


async def test_a_changed_durable_is_updated_in_place(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1)
    shorter = dataclasses.replace(INDEXER_TURN_SAVED.config(), ack_wait=1.0)
    await bus.jetstream.add_consumer("OUTCOMES", shorter)

    await declare_streams(bus.jetstream, first_turn_number=1)

    consumer = (await bus.jetstream.consumer_info("OUTCOMES", INDEXER_TURN_SAVED.name)).config
    assert consumer.ack_wait == INDEXER_TURN_SAVED.ack_wait_seconds


async def test_copies_on_a_single_server_end_with_an_error_that_says_what_to_do(bus: Bus) -> None:
    with pytest.raises(SettingsError, match=r"^NATS_REPLICAS=3: .*Set NATS_REPLICAS=1, or NATS_URL"):
        await declare_streams(bus.jetstream, first_turn_number=1, replicas=3)


async def test_orchestrators_that_start_together_agree_on_the_first_number(bus: Bus) -> None:
    """One of them has seen more turns; whichever comes first, the other one takes it as it is."""
    await asyncio.gather(
        *(declare_streams(bus.jetstream, first_turn_number=number) for number in (743, 1, 20_000))
    )

    assert await bus.publish(requested("t1")) in (743, 1, 20_000)


async def test_an_older_durable_learns_of_its_replay_subject_and_stays_where_it_was(bus: Bus) -> None:
    """Version 0.1 filtered by one subject."""
    await declare_streams(bus.jetstream, first_turn_number=1)
    await bus.jetstream.delete_consumer("OUTCOMES", INDEXER_TURN_SAVED.name)
    older = dataclasses.replace(
        INDEXER_TURN_SAVED.config(), filter_subjects=None, filter_subject=INDEXER_TURN_SAVED.subject
    )
    await bus.jetstream.add_consumer("OUTCOMES", older)
    await bus.publish(saved(1))
    reader = await bus.jetstream.pull_subscribe_bind(INDEXER_TURN_SAVED.name, "OUTCOMES")
    await (await reader.fetch(1))[0].ack_sync()

    await declare_streams(bus.jetstream, first_turn_number=1)
    await bus.jetstream.publish("replay.indexer-turn-saved", b"again")

    assert [message.data for message in await reader.fetch(2, timeout=4)] == [b"again"]


async def test_turn_numbers_go_on_where_they_stood_after_the_store_was_lost(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=743)

    assert [await bus.publish(requested(f"t{n}")) for n in range(3)] == [743, 744, 745]


async def test_a_full_queue_refuses_and_keeps_what_waits(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1, queue_limit=2)
    await bus.publish(requested("t1"))
    await bus.publish(requested("t2"))

    with pytest.raises(Refused, match="queue is full") as refusal:
        await bus.publish(requested("t3"))

    assert refusal.value.status == 503
    assert (await bus.jetstream.stream_info("TURNS")).state.messages == 2


async def test_the_queue_takes_no_outcome_and_the_outcomes_no_turn(bus: Bus) -> None:
    await declare_streams(bus.jetstream, first_turn_number=1)
    await bus.publish(saved(1))

    assert (await bus.jetstream.stream_info("TURNS")).state.messages == 0
    assert (await bus.jetstream.stream_info("OUTCOMES")).state.messages == 1


async def test_a_service_that_starts_first_waits_for_the_streams(bus: Bus) -> None:
    with pytest.raises(Transient, match="not declared"):
        await wait_for_streams(bus.jetstream)

    await declare_streams(bus.jetstream, first_turn_number=1)

    await wait_for_streams(bus.jetstream)


async def test_a_foreign_stream_in_the_way_is_named_and_left_alone(bus: Bus) -> None:
    """Two streams may not claim one subject."""
    await bus.jetstream.add_stream(StreamConfig(name="OLD", subjects=["turn.*"]))

    with pytest.raises(SettingsError, match=r"^stream TURNS .*overlap"):
        await declare_streams(bus.jetstream, first_turn_number=1)

    assert (await declared(bus, "OLD")).subjects == ["turn.*"]
