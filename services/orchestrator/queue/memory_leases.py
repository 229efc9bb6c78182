"""Leases in the memory of one process, for several queues in it: for tests, and for a look without NATS."""

import asyncio

from services.orchestrator.queue.item import SessionKey
from services.orchestrator.queue.lease import Lease
from services.orchestrator.queue.turn_lease import SeeLease, StoredLease


class MemoryLeases:
    """Each queue that is among `readers` sees every write at once."""

    def __init__(self) -> None:
        self.stored: dict[SessionKey, StoredLease] = {}
        self.readers: list[SeeLease] = []
        self._revision = 0

    async def read(self, session: SessionKey) -> StoredLease | None:
        await asyncio.sleep(0)
        return self.stored.get(session)

    async def write(self, session: SessionKey, lease: Lease, checkpoint: bytes, *, over: int) -> int | None:
        await asyncio.sleep(0)
        stored = self.stored.get(session)
        if over != (0 if stored is None else stored.revision):
            return None
        self._revision += 1
        self.stored[session] = StoredLease(lease, checkpoint, self._revision)
        for see in self.readers:
            see(session, lease, self._revision)
        return self._revision
