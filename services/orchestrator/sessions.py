"""One turn of a session at a time, in the order of their arrival; sessions side by side."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SessionLocks:
    """A lock a session, kept only while somebody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._interested: Counter[tuple[str, str]] = Counter()

    @asynccontextmanager
    async def held(self, user: str, session_id: str) -> AsyncIterator[None]:
        key = (user, session_id)
        self._interested[key] += 1
        try:
            async with self._locks.setdefault(key, asyncio.Lock()):
                yield
        finally:
            self._interested[key] -= 1
            if not self._interested[key]:
                del self._interested[key], self._locks[key]
