"""Several processes, each with its own late picture of one queue, in every order of what they see and do.

The rules are all that can happen. The server is a few lines: a list of turns, and leases that are written by
compare-and-set. At the end all processes see everything, and every turn has to have ended.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.orchestrator.queue.item import SessionKey
from services.orchestrator.queue.lease import Claim, Lease, claimed, freed, handed_back, saved
from services.orchestrator.queue.picture import QueuePicture
from services.orchestrator.running.claimed import QueuedTurn
from shared.contract.events import TurnRequested
from tests.unit.orchestrator.queue.queue_room import Picture, waiting

PROCESSES = 3


@dataclass
class Process:
    name: str
    picture: Picture
    turns: deque[QueuedTurn]
    """Those that it has not read yet, in the order of the stream."""
    leases: deque[tuple[SessionKey, Lease, int]]
    ends: deque[int] = field(default_factory=deque)
    claims: list[Claim[TurnRequested]] = field(default_factory=list)
    """Asked for, and not written yet."""
    running: dict[SessionKey, tuple[Lease, int]] = field(default_factory=dict)
    """The leases that it holds, as far as it knows, at the revisions that it wrote."""
    is_dead: bool = False
    known: dict[int, QueuedTurn] = field(default_factory=dict)


class Queue(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.stream: dict[int, QueuedTurn] = {}
        self.accepted: dict[int, QueuedTurn] = {}
        self.leases: dict[SessionKey, tuple[Lease, int]] = {}
        self.written: list[tuple[SessionKey, Lease, int]] = []
        self.outcomes: Counter[int] = Counter()
        self.begun: list[int] = []
        self.processes: list[Process] = []
        self.names = 0
        for _ in range(PROCESSES):
            self.start()

    # --- the server ---

    def start(self) -> None:
        """A process that reads everything from its beginning: the leases, as the bucket keeps them, first."""
        self.names += 1
        name = f"p{self.names}"
        kept = deque((session, lease, revision) for session, (lease, revision) in self.leases.items())
        self.processes.append(Process(name, QueuePicture(name), deque(self.stream.values()), kept))

    def alive(self) -> list[Process]:
        return [process for process in self.processes if not process.is_dead]

    def write(self, session: SessionKey, lease: Lease, over: int) -> int | None:
        earlier, revision = self.leases.get(session, (None, 0))
        if revision != over:
            return None
        if earlier is not None and earlier.is_busy and lease.turn_number != earlier.turn_number:
            pytest.fail(f"turn {lease.turn_number} was begun while {earlier.turn_number} had not ended")
        self.written.append((session, lease, len(self.written) + 1))
        self.leases[session] = (lease, len(self.written))
        for process in self.alive():
            process.leases.append(self.written[-1])
        return len(self.written)

    def end(self, number: int) -> None:
        """The folder is written, or was before; the turn leaves the stream."""
        self.outcomes[number] += number not in self.outcomes
        self.stream.pop(number, None)

    # --- what happens ---

    @rule(
        user=st.sampled_from("ab"),
        session=st.sampled_from("xy"),
        if_busy=st.sampled_from(["enqueue", "enqueue", "enqueue", "interrupt"]),
    )
    def accept(self, user: str, session: str, if_busy: Any) -> None:
        number = len(self.accepted) + 1
        turn = waiting(number, user, session, if_busy=if_busy)
        self.accepted[number] = self.stream[number] = turn
        for process in self.alive():
            process.turns.append(turn)

    @rule(data=st.data())
    def read_turns(self, data: st.DataObject) -> None:
        process = self.any_process(data)
        for _ in range(data.draw(st.integers(1, 3))):
            self.read_turn(process)

    @rule(data=st.data())
    def read_leases(self, data: st.DataObject) -> None:
        process = self.any_process(data)
        for _ in range(data.draw(st.integers(1, 3))):
            self.read_lease(process)

    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        self.claim_next(self.any_process(data))

    @rule(data=st.data(), is_answered=st.booleans())
    def write_claim(self, data: st.DataObject, is_answered: bool) -> None:
        process = self.any_process(data)
        if process.claims:
            index = data.draw(st.integers(0, len(process.claims) - 1))
            self.settle_claim(process, process.claims.pop(index), is_answered=is_answered)

    @rule(data=st.data(), is_waiting=st.booleans(), is_again=st.booleans())
    def save(self, data: st.DataObject, is_waiting: bool, is_again: bool) -> None:
        process = self.any_process(data)
        for session, (lease, revision) in list(process.running.items()):
            attempt = lease.attempt + is_again
            self.update(process, session, saved(lease, attempt=attempt, is_waiting=is_waiting), revision)

    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        process = self.any_process(data)
        for session, (lease, revision) in list(process.running.items())[:1]:
            self.update(process, session, handed_back(lease), revision)

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        process = self.any_process(data)
        for session in list(process.running)[:1]:
            self.finish_turn(process, session)

    @rule(data=st.data())
    def cancel_a_waiting_turn(self, data: st.DataObject) -> None:
        """Without a lease, by its folder; all hear of it."""
        if self.stream:
            number = data.draw(st.sampled_from(sorted(self.stream)))
            lease, _ = self.leases.get(self.stream[number].session, (None, 0))
            if lease is None or not lease.is_busy or lease.turn_number != number:
                self.end(number)
                for process in self.alive():
                    process.ends.append(number)

    @rule(data=st.data())
    def hear_of_an_end(self, data: st.DataObject) -> None:
        process = self.any_process(data)
        if process.ends:
            self.hear_end(process)

    @precondition(lambda self: len(self.processes) < 2 * PROCESSES)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.any_process(data).is_dead = True
        self.start()

    @rule(data=st.data())
    def declare_dead(self, data: st.DataObject) -> None:
        """By mistake as well: of a process that is only slow."""
        process = self.any_process(data)
        others = [other.name for other in self.processes if other is not process]
        process.picture.set_dead(set(data.draw(st.lists(st.sampled_from(others), max_size=2))))

    # --- what a process does ---

    def any_process(self, data: st.DataObject) -> Process:
        return data.draw(st.sampled_from(self.alive()), label="process")

    def read_turn(self, process: Process) -> None:
        if process.turns:
            turn = process.turns.popleft()
            if turn.number in self.stream:  # What was deleted is not delivered any more.
                assert process.picture.add(turn)
                process.known[turn.number] = turn

    def read_lease(self, process: Process) -> None:
        if process.leases:
            process.picture.see_lease(*process.leases.popleft())

    def hear_end(self, process: Process) -> None:
        process.picture.remove(process.ends.popleft())

    def claim_next(self, process: Process) -> bool:
        at_work = Counter(
            session[0]
            for session in {turn.session for turn in self.accepted.values()}
            if (lease := process.picture.lease_of(session)) is not None and lease.is_at_work
        )
        claim = process.picture.next_claim()
        if claim is None:
            return False
        in_hand = {*process.running, *(other.session for other in process.claims)}
        assert claim.session not in in_hand, "a process runs a turn once at a time"
        process.claims.append(claim)
        in_hand.add(claim.session)
        for turn in process.known.values():
            user, session = turn.session[0], turn.session
            lease = process.picture.lease_of(session)
            is_free = lease is None or not lease.is_busy
            if is_free and session not in in_hand and process.picture.find(turn.id) is not None:
                assert at_work[claim.session[0]] <= at_work[user], f"{user} has fewer turns at work"
        return True

    def settle_claim(self, process: Process, claim: Claim[TurnRequested], *, is_answered: bool) -> None:
        lease = claimed(claim, process.name)
        revision = self.write(claim.session, lease, claim.revision)
        if revision is None or not is_answered:
            if revision is None and claim.session in self.leases:
                process.picture.see_lease(claim.session, *self.leases[claim.session])
            process.picture.release(claim.session)
            return
        if not claim.is_takeover and not self.accepted[claim.turn_number].overtakes:
            session = [turn for turn in self.accepted.values() if turn.session == claim.session]
            older = [turn.number for turn in session if turn.number < claim.turn_number]
            assert all(number in self.outcomes for number in older), "a session runs its turns in order"
        process.picture.see_lease(claim.session, lease, revision)
        process.running[claim.session] = (lease, revision)

    def update(self, process: Process, session: SessionKey, lease: Lease, over: int) -> None:
        revision = self.write(session, lease, over)
        if revision is not None:
            process.picture.see_lease(session, lease, revision)
        if revision is None or lease.state != "held":
            del process.running[session]
            process.picture.release(session)
        else:
            process.running[session] = (lease, revision)

    def finish_turn(self, process: Process, session: SessionKey) -> None:
        """It writes the lease once more before the folder: a process that lost it stops there."""
        lease, revision = process.running[session]
        self.update(process, session, saved(lease, attempt=lease.attempt, is_waiting=False), revision)
        if session in process.running:
            self.end(lease.turn_number)
            lease, revision = process.running[session]
            self.update(process, session, freed(lease, is_remembered=True, history_from=""), revision)

    # --- what has to be true ---

    @invariant()
    def at_most_one_process_holds_a_lease_as_it_stands(self) -> None:
        for session, (_, revision) in self.leases.items():
            holders = [
                process.name
                for process in self.alive()
                if process.running.get(session, (None, 0))[1] == revision
            ]
            assert len(holders) <= 1

    def teardown(self) -> None:
        """All is seen, the dead are known, and who has room goes on: then no turn is left."""
        alive = self.alive()
        dead = {process.name for process in self.processes if process.is_dead}
        for _ in range(4 * len(self.accepted) + 20):
            for process in alive:
                while process.turns or process.leases or process.ends:
                    self.read_lease(process)
                    self.read_turn(process)
                    if process.ends:
                        self.hear_end(process)
                process.picture.set_dead(dead)
                for claim in process.claims:
                    self.settle_claim(process, claim, is_answered=True)
                process.claims.clear()
                for session in list(process.running):
                    self.finish_turn(process, session)
                self.claim_next(process)
        assert self.outcomes == Counter(self.accepted.keys())
        assert all(not lease.is_busy for lease, _ in self.leases.values())
        assert [len(process.picture) for process in alive] == [0] * len(alive)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
