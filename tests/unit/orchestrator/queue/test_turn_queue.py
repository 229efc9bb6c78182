"""Turns that are taken and leases that are kept, also where answers of the store are lost or late."""

import asyncio
from typing import Literal

import pytest

from services.orchestrator.queue import turn_queue
from services.orchestrator.queue.item import SessionKey
from services.orchestrator.queue.lease import Lease
from services.orchestrator.queue.memory_leases import MemoryLeases
from services.orchestrator.queue.peers import BEATS_UNTIL_DEAD
from services.orchestrator.queue.turn_lease import LeaseLost
from services.orchestrator.queue.turn_queue import TurnQueue
from services.orchestrator.running.claimed import QueuedTurn
from shared.contract.errors import Transient
from shared.contract.events import TurnRequested
from tests.unit.orchestrator.queue.queue_room import KITCHEN, free, held, waiting

Fault = Literal["not stored", "answer lost", "stored later"]


class FaultyLeases(MemoryLeases):
    """The next write meets with the first fault of the list."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Fault] = []
        self.later: list[tuple[SessionKey, Lease, bytes, int]] = []

    async def write(self, session: SessionKey, lease: Lease, checkpoint: bytes, *, over: int) -> int | None:
        fault = self.faults.pop(0) if self.faults else None
        if fault == "stored later":
            self.later.append((session, lease, checkpoint, over))
        if fault in ("not stored", "stored later"):
            raise Transient("no answer in time")
        revision = await super().write(session, lease, checkpoint, over=over)
        if fault == "answer lost":
            raise Transient("no answer in time")
        return revision

    async def store_what_is_late(self) -> None:
        for session, lease, checkpoint, over in self.later:
            await super().write(session, lease, checkpoint, over=over)
        self.later.clear()


class Runner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.newer: list[tuple[str, int]] = []
        self.lost: list[str] = []
        self.repeated: list[tuple[int, int]] = []

    def on_newer_turn(self, running_id: str, newer: QueuedTurn) -> None:
        self.newer.append((running_id, newer.number))

    def on_lease_lost(self, turn_id: str) -> None:
        self.lost.append(turn_id)

    def on_repeated_turn(self, again: QueuedTurn, first: QueuedTurn) -> None:
        self.repeated.append((again.number, first.number))


class Process:
    def __init__(self, name: str, leases: MemoryLeases) -> None:
        self.queue = TurnQueue[TurnRequested](name, leases)
        self.runner = Runner()
        self.queue.attach(self.runner)
        leases.readers.append(self.queue.see_lease)
        for session, stored in leases.stored.items():
            self.queue.see_lease(session, stored.lease, stored.revision)

    def outlive_the_others(self) -> None:
        for _ in range(1 + BEATS_UNTIL_DEAD):
            self.queue.see_heartbeat(self.queue.own)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_queue, "_PAUSE_SECONDS", 0.001)


@pytest.fixture
def leases() -> FaultyLeases:
    return FaultyLeases()


@pytest.fixture
def me(leases: FaultyLeases) -> Process:
    process = Process("me", leases)
    process.queue.see_turn(waiting(1))
    return process


async def test_a_turn_that_is_taken_runs_saves_and_ends(me: Process, leases: FaultyLeases) -> None:
    claim = me.queue.next_claim()
    assert claim is not None
    async with me.queue.take(claim) as lease:
        assert lease is not None
        assert (lease.turn_number, lease.attempt, lease.checkpoint) == (1, 1, b"")
        await lease.save(b"far", attempt=1)
        assert await me.queue.checkpoint_of(KITCHEN) == b"far"
        await lease.free(is_remembered=True)

    assert leases.stored[KITCHEN].lease == Lease(
        state="free", turn_id="t1", turn_number=1, holder="me", recent=["t1"]
    )
    assert leases.stored[KITCHEN].checkpoint == b""
    assert me.queue.find("t1") is None
    assert me.queue.next_claim() is None


async def test_of_two_processes_one_gets_the_turn(me: Process, leases: FaultyLeases) -> None:
    other = Process("other", leases)
    other.queue.see_turn(waiting(1))
    claims = [process.queue.next_claim() for process in (me, other)]
    assert None not in claims

    async def take(process: Process) -> bool:
        claim = claims.pop(0)
        assert claim is not None
        async with process.queue.take(claim) as lease:
            await asyncio.sleep(0.01)
            return lease is not None

    assert sorted(await asyncio.gather(take(me), take(other))) == [False, True]


@pytest.mark.parametrize("fault", ["not stored", "answer lost", "stored later"])
async def test_a_turn_whose_claim_was_not_answered_is_taken_all_the_same(
    me: Process, leases: FaultyLeases, fault: Fault
) -> None:
    """A lease that no process knows to be its own would hold up its session for ever."""
    leases.faults = [fault]
    claim = me.queue.next_claim()
    assert claim is not None
    async with me.queue.take(claim) as lease:
        assert lease is None
    await leases.store_what_is_late()

    again = me.queue.next_claim()
    assert again is not None
    async with me.queue.take(again) as lease:
        assert lease is not None
        assert lease.attempt == (1 if fault == "not stored" else 2)


@pytest.mark.parametrize("fault", ["not stored", "answer lost", "stored later"])
async def test_a_save_that_was_not_answered_is_kept(me: Process, leases: FaultyLeases, fault: Fault) -> None:
    claim = me.queue.next_claim()
    assert claim is not None
    async with me.queue.take(claim) as lease:
        assert lease is not None
        leases.faults = [fault, "not stored", fault]
        await lease.save(b"far", attempt=1)
        await leases.store_what_is_late()
        await lease.save(b"farther", attempt=1)

        assert leases.stored[KITCHEN].checkpoint == b"farther"


async def test_a_process_that_was_declared_dead_cannot_write_any_more(
    me: Process, leases: FaultyLeases
) -> None:
    claim = me.queue.next_claim()
    assert claim is not None
    async with me.queue.take(claim) as mine:
        assert mine is not None
        await mine.save(b"far", attempt=1)
        other = Process("other", leases)
        other.outlive_the_others()
        takeover = other.queue.next_claim()
        assert takeover is not None
        async with other.queue.take(takeover) as theirs:
            assert theirs is not None
            assert (theirs.attempt, theirs.checkpoint, theirs.is_takeover) == (2, b"far", True)
            assert me.runner.lost == ["t1"]
            for write in (
                mine.save(b"old", attempt=1),
                mine.hand_back(b"old"),
                mine.free(is_remembered=True),
            ):
                with pytest.raises(LeaseLost):
                    await write

        assert leases.stored[KITCHEN].lease.holder == "other"


async def test_a_lease_that_was_given_up_is_not_written_again(me: Process, leases: FaultyLeases) -> None:
    """As by a checkpoint that was still on its way when the turn ended."""
    claim = me.queue.next_claim()
    assert claim is not None
    async with me.queue.take(claim) as lease:
        assert lease is not None
        await lease.hand_back(b"far")
        with pytest.raises(LeaseLost, match="given up by this process"):
            await lease.save(b"farther", attempt=1)

    assert leases.stored[KITCHEN].lease.state == "handed_back"


async def test_a_turn_that_its_process_let_go_is_claimed_again_there(me: Process) -> None:
    claim = me.queue.next_claim()
    assert claim is not None
    with pytest.raises(ZeroDivisionError):
        async with me.queue.take(claim):
            raise ZeroDivisionError

    again = me.queue.next_claim()
    assert again is not None
    assert (again.turn_number, again.is_takeover) == (1, True)


async def test_a_turn_is_not_taken_here_twice_at_a_time(me: Process, leases: FaultyLeases) -> None:
    """Another process took it over and handed it back, while this one still winds its own attempt up."""
    claim = me.queue.next_claim()
    assert claim is not None
    async with me.queue.take(claim) as lease:
        assert lease is not None
        revision = await leases.write(KITCHEN, held(1), b"", over=leases.stored[KITCHEN].revision)
        assert revision is not None
        back = Lease(state="handed_back", holder="other", turn_id="t1", turn_number=1, attempt=2)
        await leases.write(KITCHEN, back, b"", over=revision)
        assert me.queue.next_claim() is None

    assert me.queue.next_claim() is not None


async def test_the_runner_hears_of_newer_turns_and_of_repeated_ones(me: Process) -> None:
    me.queue.see_turn(waiting(2))
    claim = me.queue.next_claim()
    assert claim is not None
    async with me.queue.take(claim) as lease:
        assert lease is not None
        me.queue.see_turn(waiting(3))
        me.queue.see_turn(waiting(4, session="garden"))
        me.queue.see_turn(
            QueuedTurn(
                number=5, request=waiting(1).request, requested_at=waiting(1).requested_at, seen_at=0.0
            )
        )

        assert [turn.number for turn in me.queue.newer_turns(lease)] == [2, 3]

    assert me.runner.newer == [("t1", 3)]
    assert me.runner.repeated == [(5, 1)]


async def test_what_is_seen_of_a_turn_is_its_status_and_its_holder(me: Process) -> None:
    turn = waiting(1)
    assert (me.queue.status_of(turn), me.queue.holder_of(turn)) == ("queued", None)

    me.queue.see_lease(KITCHEN, held(1), 1)
    assert (me.queue.status_of(turn), me.queue.holder_of(turn)) == ("running", "other")

    me.queue.see_lease(KITCHEN, held(1, is_waiting=True), 2)
    assert me.queue.status_of(turn) == "waiting"

    me.queue.see_lease(KITCHEN, free(1), 3)
    assert me.queue.first_of(KITCHEN) is None
