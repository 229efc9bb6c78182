"""Who may write the points of a session, or of a user's memories or pages: one task at a time.

A point is made from rows that were read before. Without a lock it could be written from rows that have
changed meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol
from weakref import WeakValueDictionary


class Locks(Protocol):
    def hold(self, names: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """Waits for all of them. Raises Transient where another process cannot be asked."""
        ...


class ProcessLocks:
    """Locks among the tasks of this process: enough where no other process writes the same points."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, names: Iterable[str]) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for name in sorted(set(names)):  # In one order: two tasks never wait in a circle.
                await stack.enter_async_context(self._locks.setdefault(name, asyncio.Lock()))
            yield


def of_session(user: str, session_id: str) -> str:
    return f"session\n{user}\n{session_id}"


def of_memories(user: str) -> str:
    return f"memories\n{user}"


def of_pages(user: str) -> str:
    return f"pages\n{user}"
