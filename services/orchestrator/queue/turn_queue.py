"""The door of this room: the queue of turns and their leases, as one process sees and uses them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Generic, Literal, Protocol, TypeVar

from services.orchestrator.queue.item import Item, R, SessionKey
from services.orchestrator.queue.lease import Claim, Lease, claimed
from services.orchestrator.queue.peers import Peers
from services.orchestrator.queue.picture import QueuePicture
from services.orchestrator.queue.turn_lease import Leases, StoredLease, TurnLease
from shared.contract.errors import Transient

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5
I_contra = TypeVar("I_contra", contravariant=True)


class Runner(Protocol[I_contra]):
    """The part of this process that runs turns. The queue tells it what concerns them."""

    def on_newer_turn(self, running_id: str, newer: I_contra) -> None:
        """The session of a turn that this process runs has a newer turn."""
        ...

    def on_lease_lost(self, turn_id: str) -> None:
        """Another process runs the turn now."""
        ...

    def on_repeated_turn(self, again: I_contra, first: I_contra) -> None:
        """The turn's id is in the queue already, under the number of `first`."""
        ...


class TurnQueue(Generic[R]):
    """`own` names this process. A runner is attached before anything is fed or claimed."""

    def __init__(self, own: str, leases: Leases) -> None:
        self.own = own
        self.peers = Peers(own)
        self._leases = leases
        self._picture = QueuePicture[R](own)
        self._in_hand: dict[SessionKey, TurnLease[R]] = {}
        self._runner: Runner[Item[R]]
        self._news = asyncio.Event()

    def attach(self, runner: Runner[Item[R]]) -> None:
        self._runner = runner

    # --- what the adapters feed ---

    def see_turn(self, item: Item[R]) -> None:
        if not self._picture.add(item):
            if (first := self._picture.find(item.id)) is not None:
                self._runner.on_repeated_turn(item, first)
            return
        running = self._in_hand.get(item.session)
        if running is not None and item.number > running.turn_number:
            self._runner.on_newer_turn(running.turn_id, item)
        self._news.set()

    def see_lease(self, session: SessionKey, lease: Lease, revision: int) -> None:
        if not self._picture.see_lease(session, lease, revision):
            return
        running = self._in_hand.get(session)
        if running is not None and lease.state == "held" and lease.holder != self.own:
            self._runner.on_lease_lost(running.turn_id)
        self._news.set()

    def see_end(self, turn_number: int) -> None:
        """The turn has ended without a lease."""
        self._picture.remove(turn_number)
        self._news.set()

    def see_heartbeat(self, name: str) -> None:
        self.peers.hear(name)
        if name == self.own:
            self._picture.set_dead(self.peers.dead_among(self._picture.holders()))
            self._news.set()

    def forget_leases(self) -> None:
        """The server has lost them."""
        self._picture.forget_leases()
        self._news.set()

    # --- running turns ---

    async def wait_for_news(self) -> None:
        """Returns when something has changed since the last call, or `wake` was called."""
        await self._news.wait()
        self._news.clear()

    def wake(self) -> None:
        self._news.set()

    def has_next(self) -> bool:
        """Whether `next_claim` would name a turn."""
        return self._picture.has_next()

    def next_claim(self) -> Claim[R] | None:
        """The next turn, for `take`; None where none may be run now."""
        return self._picture.next_claim()

    @asynccontextmanager
    async def take(self, claim: Claim[R]) -> AsyncIterator[TurnLease[R] | None]:
        """Within it the turn may be run; None where another process took it first, or NATS is away.

        What leaves it without an end, a hand-back or the loss of the lease may be claimed here again.
        """
        try:
            lease = await self._claim(claim)
            if lease is not None:
                self._in_hand[claim.session] = lease
            yield lease
        finally:
            self._in_hand.pop(claim.session, None)
            self._picture.release(claim.session)
            self._news.set()

    async def _claim(self, claim: Claim[R]) -> TurnLease[R] | None:
        lease = claimed(claim, self.own)
        try:
            checkpoint = await self._checkpoint_under(claim)
            asked_at = monotonic()
            revision = await self._leases.write(claim.session, lease, checkpoint, over=claim.revision)
            if revision is None:
                await self._look_again(claim.session)
                return None
        except Transient as error:
            log.info("turn %d is not taken now: %s", claim.turn_number, error)
            await asyncio.sleep(_PAUSE_SECONDS)
            return None
        self._picture.see_lease(claim.session, lease, revision)
        stored = StoredLease(lease, checkpoint, revision)
        return TurnLease(claim, stored, self._leases, self.see_lease, asked_at=asked_at)

    async def _checkpoint_under(self, claim: Claim[R]) -> bytes:
        """A takeover keeps what the last process saved, until its own first save."""
        if not claim.is_takeover:
            return b""
        stored = await self._leases.read(claim.session)
        return b"" if stored is None else stored.checkpoint

    async def _look_again(self, session: SessionKey) -> None:
        stored = await self._leases.read(session)
        if stored is None:
            self._picture.forget_lease(session)
        else:
            self.see_lease(session, stored.lease, stored.revision)

    def newer_turns(self, lease: TurnLease[R]) -> list[Item[R]]:
        """Those of its session."""
        return self._picture.after(lease.session, lease.turn_number)

    # --- looking ---

    def find(self, turn_id: str) -> Item[R] | None:
        """A turn that waits or runs, in any process."""
        return self._picture.find(turn_id)

    def of_user(self, user: str) -> list[Item[R]]:
        return self._picture.of_user(user)

    def first_of(self, session: SessionKey) -> Item[R] | None:
        """The turn that keeps the session busy: the one that runs, else the first that waits."""
        return self._picture.first_of(session)

    def status_of(self, item: Item[R]) -> Literal["queued", "running", "waiting"]:
        """`waiting`: for a person, who has to allow what a tool would do."""
        lease = self._picture.runs(item)
        if lease is None:
            return "queued"
        return "waiting" if lease.is_waiting else "running"

    def holder_of(self, item: Item[R]) -> str | None:
        """The process that runs the turn; None where none does."""
        lease = self._picture.runs(item)
        return lease.holder if lease is not None and lease.state == "held" else None

    def places(self) -> Iterator[tuple[int, Item[R]]]:
        """(turns before it, turn) of each turn that waits."""
        return self._picture.places()

    async def checkpoint_of(self, session: SessionKey) -> bytes:
        """Of the turn that runs in the session; empty where it has none. Raises Transient."""
        stored = await self._leases.read(session)
        return b"" if stored is None else stored.checkpoint
