"""Leases in NATS: the key-value bucket `sessions`, one key a session, and a tail that reads all of them.

A key's header holds the lease and its value the checkpoint. So readers of all leases need no checkpoint.
"""

import logging
from collections.abc import Awaitable, Callable

import msgspec
from nats.aio.msg import Msg

from services.orchestrator.queue.item import SessionKey
from services.orchestrator.queue.lease import Lease
from services.orchestrator.queue.turn_lease import SeeLease, StoredLease
from shared.bus.buckets import Bucket, Conflict, key_from, parts_of
from shared.bus.connection import Bus
from shared.bus.streams import PADDING, SESSIONS
from shared.bus.tail import Tail

log = logging.getLogger(__name__)
_LEASE = "Pandora-Lease"
_FREE_SECONDS = 600
"""How long a free session's last turns are remembered. The index knows a turn long before that."""
_lease = msgspec.json.Decoder(Lease)


class BusLeases:
    def __init__(self, bus: Bus) -> None:
        self._keys = Bucket(bus, SESSIONS)

    async def read(self, session: SessionKey) -> StoredLease | None:
        entry = await self._keys.get(key_from(*session))
        return None if entry is None else StoredLease(_lease_in(entry.headers), entry.value, entry.revision)

    async def write(self, session: SessionKey, lease: Lease, checkpoint: bytes, *, over: int) -> int | None:
        try:
            return await self._keys.put(
                key_from(*session),
                checkpoint,
                revision=over,
                headers={_LEASE: msgspec.json.encode(lease).decode()},
                ttl_seconds=_FREE_SECONDS if lease.state == "free" else None,
            )
        except Conflict:
            return None


def _lease_in(headers: dict[str, str]) -> Lease:
    return _lease.decode(headers[_LEASE])


def leases_tail(
    bus: Bus, *, see: SeeLease, lost: Callable[[], None], missing: Callable[[], Awaitable[None]]
) -> Tail:
    """Calls `see` with each lease that any process writes, in the order of the revisions."""
    keys = Bucket(bus, SESSIONS)

    def take(message: Msg) -> None:
        key = keys.key_of(message.subject)
        if key.startswith(f"{PADDING}."):
            return
        try:
            user, session_id = parts_of(key)
            lease = _lease_in(message.headers or {})
        except (KeyError, ValueError) as error:
            log.warning("%s is no lease: %r", message.subject, error)
            return
        see((user, session_id), lease, message.metadata.sequence.stream)

    return Tail(bus, keys.stream, take=take, lost=lost, missing=missing, headers_only=True)
