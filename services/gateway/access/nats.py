"""The bucket of API keys: read whole at the start, and watched from then on."""

import asyncio
import logging

from nats.aio.msg import Msg

from services.gateway.access.keys import Keys
from shared.bus.buckets import Bucket
from shared.bus.connection import Bus
from shared.bus.streams import API_KEYS
from shared.bus.tail import Tail
from shared.contract.errors import Poison, Transient
from shared.contract.events import decode
from shared.contract.keys import ApiKey

log = logging.getLogger(__name__)


class BusKeys:
    """Brings each change of the bucket to `keys` as it is stored.

    While NATS is away, `keys` stays as it is.
    """

    def __init__(self, bus: Bus, keys: Keys) -> None:
        self._bus = bus
        self._keys = keys
        self._bucket = Bucket(bus, API_KEYS)
        self._tail = Tail(bus, self._bucket.stream, take=self._take, lost=keys.drop_all, missing=self._wait)

    async def run(self) -> None:
        """Runs as long as the process."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tail.run())
            await self.until_read()

    async def until_read(self) -> None:
        await self._tail.caught_up.wait()
        self._keys.is_read = True

    async def check(self) -> None:
        """Raises Transient where NATS does not answer, or has not given the keys yet."""
        await self._bus.check()
        if not self._keys.is_read:
            raise Transient("NATS has not given the API keys yet; the orchestrator makes their bucket")

    async def _wait(self) -> None:
        """The orchestrator makes the bucket, at its start."""

    def _take(self, message: Msg) -> None:
        key_id = self._bucket.key_of(message.subject)
        if not message.data:  # It was erased.
            self._keys.drop(key_id)
            return
        try:
            self._keys.take(decode(ApiKey, message.data))
        except Poison as error:  # Whatever it allowed before is not known any more.
            self._keys.drop(key_id)
            log.error("the API key %s cannot be read and lets nobody in: %s", key_id, error)
