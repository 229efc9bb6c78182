"""Idempotency keys in a JetStream key-value bucket: all gateways see them, and they outlive restarts."""

from contextlib import suppress

from services.gateway.domain.idempotency import Promise, Written, hash_of_key
from shared.bus import Bus
from shared.errors import Transient
from shared.events import decode, encode
from shared.keys import Conflict, Keys, key_from
from shared.streams import IDEMPOTENCY


class BusPromises:
    """Promises over `Keys`. The bucket forgets them after 24 hours."""

    def __init__(self, bus: Bus) -> None:
        self._keys = Keys(bus, IDEMPOTENCY)

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
