"""Turns and their idempotency keys over NATS."""

from contextlib import suppress

from services.gateway.turns.idempotency import Promise, Written, hash_of_key
from shared.bus.buckets import Bucket, Conflict, key_from
from shared.bus.connection import Bus
from shared.bus.streams import IDEMPOTENCY
from shared.contract.errors import Transient
from shared.contract.events import TurnRequested, decode, encode


class BusTurns:
    """Turns over JetStream."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def accept(self, turn: TurnRequested) -> int:
        return await self._bus.publish(turn)


class BusPromises:
    """Promises over a key-value bucket: all gateways see them, and they outlive restarts for 24 hours."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Bucket(bus, IDEMPOTENCY)

    async def find(self, user: str, key: str) -> Written | None:
        entry = await self._keys.get(_name(user, key))
        return None if entry is None else Written(decode(Promise, entry.value), entry.revision)

    async def make(self, user: str, key: str, promise: Promise) -> Written:
        try:
            revision = await self._keys.put(_name(user, key), encode(promise), revision=0)
        except Conflict as error:
            if (first := await self.find(user, key)) is None:
                raise Transient(f"{IDEMPOTENCY.name} does not say what it holds of the key") from error
            return first
        return Written(promise, revision)

    async def keep(self, user: str, key: str, written: Written) -> None:
        # Conflict: another gateway, asked the same at the same time, wrote the same number.
        with suppress(Conflict):
            await self._keys.put(_name(user, key), encode(written.promise), revision=written.revision)


def _name(user: str, key: str) -> str:
    return key_from(user, hash_of_key(key))
