"""Leases: what the queue relies on, of those in NATS and of those in the memory of one process."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.orchestrator.queue.lease import Lease
from services.orchestrator.queue.memory_leases import MemoryLeases
from services.orchestrator.queue.nats_leases import BusLeases, leases_tail
from services.orchestrator.queue.turn_lease import Leases, StoredLease
from shared.bus.connection import Bus

KITCHEN = ("älice@example.org", "kitchen: *.>")
SEEN_SECONDS = 5.0
Seen = list[tuple[tuple[str, str], Lease, int]]


@pytest.fixture(params=["memory", "nats"])
async def leases(request: pytest.FixtureRequest, bus: Bus) -> AsyncIterator[tuple[Leases, Seen]]:
    """With what a reader of all leases sees."""
    seen: Seen = []

    def see(session: tuple[str, str], lease: Lease, revision: int) -> None:
        seen.append((session, lease, revision))

    if request.param == "memory":
        kept = MemoryLeases()
        kept.readers.append(see)
        yield kept, seen
        return
    tail = leases_tail(bus, see=see, lost=lambda: None, missing=nothing)
    reading = asyncio.create_task(tail.run())
    await tail.caught_up.wait()
    yield BusLeases(bus), seen
    reading.cancel()
    await asyncio.wait({reading})


async def nothing() -> None:
    raise AssertionError("the stream is there")


def lease(number: int, holder: str = "me", *, is_waiting: bool = False) -> Lease:
    return Lease(state="held", holder=holder, turn_id=f"t{number}", turn_number=number, is_waiting=is_waiting)


async def test_a_session_without_a_lease_is_written_over_revision_0(leases: tuple[Leases, Seen]) -> None:
    kept, _ = leases
    assert await kept.read(KITCHEN) is None

    revision = await kept.write(KITCHEN, lease(1), b"far", over=0)

    assert revision is not None
    assert await kept.read(KITCHEN) == StoredLease(lease(1), b"far", revision)


async def test_of_three_that_write_over_the_same_revision_one_succeeds(leases: tuple[Leases, Seen]) -> None:
    kept, _ = leases
    first = await kept.write(KITCHEN, lease(1), b"", over=0)
    assert first is not None

    writes = (kept.write(KITCHEN, lease(1, name), name.encode(), over=first) for name in ("a", "b", "c"))
    written = [revision for revision in await asyncio.gather(*writes) if revision is not None]

    stored = await kept.read(KITCHEN)
    assert stored is not None
    assert stored.checkpoint.decode() == stored.lease.holder
    assert [stored.revision] == written


async def test_a_write_over_an_earlier_revision_changes_nothing(leases: tuple[Leases, Seen]) -> None:
    kept, _ = leases
    first = await kept.write(KITCHEN, lease(1), b"", over=0)
    assert first is not None
    second = await kept.write(KITCHEN, lease(1, "other"), b"far", over=first)
    assert second is not None

    for earlier in (0, first):
        assert await kept.write(KITCHEN, lease(1), b"old", over=earlier) is None

    assert await kept.read(KITCHEN) == StoredLease(lease(1, "other"), b"far", second)


async def test_revisions_rise_over_all_sessions(leases: tuple[Leases, Seen]) -> None:
    kept, _ = leases
    revisions = [
        await kept.write(("alice", name), lease(number), b"", over=0) for number, name in enumerate("abc", 1)
    ]

    assert revisions == sorted(revisions, key=lambda revision: revision or 0)
    assert len(set(revisions)) == 3


async def test_a_reader_sees_every_lease_with_its_session_and_its_revision(
    leases: tuple[Leases, Seen],
) -> None:
    kept, seen = leases
    first = await kept.write(KITCHEN, lease(1), b"far", over=0)
    assert first is not None
    second = await kept.write(KITCHEN, lease(1, is_waiting=True), b"farther", over=first)

    async with asyncio.timeout(SEEN_SECONDS):
        while len(seen) < 2:  # noqa: ASYNC110  # a list has no event for it
            await asyncio.sleep(0.01)
    assert seen[-1] == (KITCHEN, lease(1, is_waiting=True), second)
