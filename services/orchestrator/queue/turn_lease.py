"""The lease of a turn that this process runs: it writes down how far the turn is, and ends with it."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Generic, Protocol

import msgspec
from tenacity import RetryCallState, wait_exponential

from services.orchestrator.queue.item import Item, R, SessionKey
from services.orchestrator.queue.lease import Claim, Lease, freed, handed_back, saved
from shared.process.retrying import Retry, error_of

log = logging.getLogger(__name__)
_SURELY_OURS_SECONDS = 0.5
"""After a write. No other process takes a lease before its holder was silent for five heartbeats, a second
each."""
SeeLease = Callable[[SessionKey, Lease, int], None]


def _note(state: RetryCallState) -> None:
    log.info("a lease waits to be written: %s", error_of(state))


_UNTIL_STORED = Retry(wait=wait_exponential(multiplier=0.05, max=0.5), note=_note)


class LeaseLost(Exception):
    """Another process runs the turn now. What this one still does must change nothing."""


class StoredLease(msgspec.Struct, frozen=True):
    lease: Lease
    checkpoint: bytes
    revision: int
    """Rises with every write of any lease."""


class Leases(Protocol):
    """The leases of all sessions, each with a checkpoint that only the runner of the turn can read."""

    async def read(self, session: SessionKey) -> StoredLease | None:
        """Raises Transient."""
        ...

    async def write(self, session: SessionKey, lease: Lease, checkpoint: bytes, *, over: int) -> int | None:
        """Returns the new revision, or None where the lease is not at revision `over` (0: no lease).

        Raises Transient; then the lease may be written all the same, now or a little later.
        """
        ...


class TurnLease(Generic[R]):
    """Every write waits while NATS is away, and raises LeaseLost where another process has the turn.

    After `hand_back` and `free` nothing more can be written.
    """

    def __init__(
        self, claim: Claim[R], stored: StoredLease, leases: Leases, see_lease: SeeLease, *, asked_at: float
    ) -> None:
        """`stored` is what this process wrote; it asked for that at `asked_at`, of `time.monotonic()`."""
        self.session = claim.session
        self.item: Item[R] | None = claim.item
        """None where the turn has left the stream: then it has ended, but for what follows its end."""
        self.is_takeover = claim.is_takeover
        self.checkpoint = stored.checkpoint
        """As the last process saved it; empty where none did."""
        self._lease = stored.lease
        self._revision = stored.revision
        self._leases = leases
        self._see_lease = see_lease
        self._writing = asyncio.Lock()
        self._written_at = asked_at

    @property
    def turn_id(self) -> str:
        return self._lease.turn_id

    @property
    def turn_number(self) -> int:
        return self._lease.turn_number

    @property
    def attempt(self) -> int:
        return self._lease.attempt

    @property
    def recent(self) -> list[str]:
        """Ids of the session's last turns, oldest first."""
        return self._lease.recent

    @property
    def history_from(self) -> str:
        """The id of the first turn of the history that the session's last turn was given."""
        return self._lease.history_from

    async def save(self, checkpoint: bytes, *, attempt: int, is_waiting: bool = False) -> None:
        """A process that takes over goes on from here. `is_waiting`: for a person to allow a call."""
        await self._write(lambda lease: saved(lease, attempt=attempt, is_waiting=is_waiting), checkpoint)

    async def fence(self, make_checkpoint: Callable[[], bytes], *, attempt: int) -> None:
        """Makes sure that the lease is still ours. It is not written where that is certain by the time."""
        async with self._writing:
            self._check_held()
            if monotonic() - self._written_at < _SURELY_OURS_SECONDS:
                return
            await self._write_now(saved(self._lease, attempt=attempt, is_waiting=False), make_checkpoint())

    async def hand_back(self, checkpoint: bytes) -> None:
        """Any process may go on at once, as the next attempt."""
        await self._write(handed_back, checkpoint)

    async def free(self, *, is_remembered: bool, history_from: str | None = None) -> None:
        """The turn has ended: the session's next turn may run. Later turns know of a remembered one.

        `history_from`: None leaves it as it is.
        """
        begins = self._lease.history_from if history_from is None else history_from
        await self._write(lambda lease: freed(lease, is_remembered=is_remembered, history_from=begins), b"")

    async def _write(self, change: Callable[[Lease], Lease], checkpoint: bytes) -> None:
        async with self._writing:
            self._check_held()
            await self._write_now(change(self._lease), checkpoint)

    def _check_held(self) -> None:
        if self._lease.state != "held":
            raise LeaseLost(f"the lease of turn {self.turn_number} was given up by this process")

    async def _write_now(self, lease: Lease, checkpoint: bytes) -> None:
        revision = await _UNTIL_STORED(self._store, lease, checkpoint)
        self._lease, self._revision = lease, revision
        self._see_lease(self.session, lease, revision)

    async def _store(self, lease: Lease, checkpoint: bytes) -> int:
        """Raises LeaseLost, and Transient where it has to be tried again."""
        while True:
            asked_at = monotonic()
            revision = await self._leases.write(self.session, lease, checkpoint, over=self._revision)
            if revision is not None:
                self._written_at = asked_at
                return revision
            # An earlier write whose answer was lost is stored all the same. Then the lease is still ours.
            stored = await self._leases.read(self.session)
            if stored is None or not self._is_ours(stored.lease):
                raise LeaseLost(f"turn {self.turn_number} is run by another process")
            self._revision = stored.revision

    def _is_ours(self, lease: Lease) -> bool:
        return (lease.holder, lease.turn_id) == (self._lease.holder, self._lease.turn_id)
