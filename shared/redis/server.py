"""A server that speaks Redis's protocol, and may be away: nothing that Pandora does needs it.

What is asked of it is answered within a quarter of a second, or raises `Away`. After that nothing is asked of
it for a second, so that an outage costs requests one short wait now and then.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TypeVar

from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

log = logging.getLogger(__name__)
T = TypeVar("T")
_WAIT_SECONDS = 0.25
_REST_SECONDS = 1.0


class Away(Exception):
    """The server cannot be used now. The message says why."""


class RedisServer:
    """`client` is for those who ask by `ask`."""

    def __init__(self, client: Valkey) -> None:
        self.client = client
        self._rests_until = 0.0
        self._reason = ""

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, wait_seconds: float = _WAIT_SECONDS
    ) -> AsyncIterator["RedisServer"]:
        """Connects when the first thing is asked. A server that says nothing for `wait_seconds` is away."""
        # The client of Valkey knows its own names of the same protocol.
        address = url.replace("redis", "valkey", 1) if url.startswith("redis") else url
        client = Valkey.from_url(address, socket_timeout=wait_seconds, socket_connect_timeout=wait_seconds)
        try:
            yield cls(client)
        finally:
            await client.aclose()

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Returns what `work` does with `client`. Raises Away."""
        if monotonic() < self._rests_until:
            raise Away(self._reason)
        try:
            answer = await work()
        except (ValkeyError, OSError) as error:
            if not self._reason:
                log.warning(
                    "Redis is away (%s: %s); it is asked again every second", type(error).__name__, error
                )
            self._reason = f"Redis is away: {error}"
            self._rests_until = monotonic() + _REST_SECONDS
            raise Away(self._reason) from error
        if self._reason:
            log.info("Redis is back")
            self._reason = ""
        return answer

    async def check(self) -> None:
        """Raises Away."""
        await self.ask(self.client.ping)
