"""The lease of a session: which process runs which of its turns. Every change of a lease is made here.

    (none), free ── claim ──► held ── save ──► held
                               │ ├── hand back ──► handed_back ── claim ──► held, attempt + 1
                               │ └── free ──► free
                               └── its process is dead ── claim ──► held, attempt + 1

Each arrow is one write over the revision that the writer knows. docs/adr/0009 says why that is safe.
"""

from typing import Generic, Literal

import msgspec

from services.orchestrator.queue.item import Item, R, SessionKey

_REMEMBERED_TURNS = 10


class Lease(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    state: Literal["held", "handed_back", "free"]
    turn_id: str
    turn_number: int
    """The turn that runs. Of a free session: the one that ended last."""
    holder: str = ""
    """The process that wrote the lease."""
    attempt: int = 1
    is_waiting: bool = False
    """A person has to allow what a tool would do."""
    recent: list[str] = []
    """Ids of the session's last turns, oldest first, for the time until the index knows them."""
    history_from: str = ""
    """The id of the first turn of the history that the session's last turn was given."""

    @property
    def is_busy(self) -> bool:
        """The session has a turn that was begun and has not ended."""
        return self.state != "free"

    @property
    def is_at_work(self) -> bool:
        return self.state == "held" and not self.is_waiting


class Claim(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """A turn that may be run now by the process that is first to write the lease over `revision`."""

    session: SessionKey
    turn_id: str
    turn_number: int
    item: Item[R] | None
    """None where the turn has left the stream and only the lease still names it."""
    lease: Lease | None
    revision: int
    """0 where the session has no lease."""

    @property
    def is_takeover(self) -> bool:
        """Another process has begun the turn, or this one in an earlier attempt."""
        return self.lease is not None and self.lease.is_busy


def claimed(claim: Claim[R], holder: str) -> Lease:
    earlier = claim.lease
    return Lease(
        state="held",
        holder=holder,
        turn_id=claim.turn_id,
        turn_number=claim.turn_number,
        attempt=earlier.attempt + 1 if earlier is not None and earlier.is_busy else 1,
        recent=earlier.recent if earlier is not None else [],
        history_from=earlier.history_from if earlier is not None else "",
    )


def saved(lease: Lease, *, attempt: int, is_waiting: bool) -> Lease:
    return msgspec.structs.replace(lease, state="held", attempt=attempt, is_waiting=is_waiting)


def handed_back(lease: Lease) -> Lease:
    return msgspec.structs.replace(lease, state="handed_back")


def freed(lease: Lease, *, is_remembered: bool, history_from: str) -> Lease:
    """`is_remembered`: later turns of the session are to know of this one."""
    recent = lease.recent
    if is_remembered:
        recent = [*(turn_id for turn_id in recent if turn_id != lease.turn_id), lease.turn_id]
    return msgspec.structs.replace(
        lease,
        state="free",
        is_waiting=False,
        recent=recent[-_REMEMBERED_TURNS:],
        history_from=history_from,
    )
