"""The bucket of API keys, for the commands. Over the bus: no key of the gateway makes keys."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from cli.terminal.failure import CommandFailed
from cli.upkeep.bus import bus_of
from deploy.local.settings import LocalSettings
from shared.bus.buckets import Bucket, Conflict
from shared.bus.connection import Bus
from shared.bus.replay import replay
from shared.bus.streams import API_KEYS
from shared.contract.errors import Transient
from shared.contract.events import decode, encode
from shared.contract.keys import ApiKey
from shared.process.settings import load


class KeyBucket:
    """Raises CommandFailed for an id without a key, and where another command changed it meanwhile."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._bucket = Bucket(bus, API_KEYS)

    async def all(self) -> list[ApiKey]:
        """By the time at which they were made."""
        every = replay(self._bus, self._bucket.stream, self._bucket.subject_of(">"))
        async with aclosing(every) as pages:
            found = [decode(ApiKey, one.body) async for page in pages for one in page if one.body]
        return sorted(found, key=lambda key: key.created_at)

    async def get(self, key_id: str) -> tuple[ApiKey, int]:
        """The key and its revision."""
        entry = await self._bucket.get(key_id)
        if entry is None or not entry.value:
            raise CommandFailed(f"There is no key {key_id}. `pandora keys list` shows their ids.")
        return decode(ApiKey, entry.value), entry.revision

    async def put(self, key: ApiKey, revision: int = 0) -> None:
        await self._write(key.key_id, encode(key), revision)

    async def erase(self, key_id: str, revision: int) -> None:
        """Writes that there is no value, so that gateways hear of it."""
        await self._write(key_id, b"", revision)

    async def _write(self, key_id: str, value: bytes, revision: int) -> None:
        try:
            await self._bucket.put(key_id, value, revision=revision)
        except Conflict as error:
            raise CommandFailed(f"The key {key_id} was changed meanwhile. Run the same again.") from error


@asynccontextmanager
async def key_bucket() -> AsyncIterator[KeyBucket]:
    """Raises CommandFailed where NATS has no such bucket, or does not answer."""
    async with bus_of(load(LocalSettings)) as bus:
        try:
            yield KeyBucket(bus)
        except Transient as error:
            raise CommandFailed(
                f"The keys cannot be reached: {error}. The orchestrator makes their bucket at its start: "
                "see `pandora status`, then run the same again."
            ) from error
