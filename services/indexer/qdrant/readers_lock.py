"""A readers-writer lock of asyncio: many tasks read at a time, or one task writes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class ReadersLock:
    """A writer goes before the readers that come later."""

    def __init__(self) -> None:
        self._writing = asyncio.Lock()
        self._readers = 0
        self._no_reader = asyncio.Event()
        self._no_reader.set()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        while self._writing.locked():
            async with self._writing:
                pass
        with self._reader():
            yield

    @contextmanager
    def _reader(self) -> Iterator[None]:
        self._readers += 1
        self._no_reader.clear()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._no_reader.set()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[None]:
        async with self._writing:
            await self._no_reader.wait()
            yield
