"""Tells a phase that it is to stop, and knows whether anything in it listens."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class PhaseStop:
    """StopSignal of one phase."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self._listening = 0

    def tell(self) -> None:
        self._told.set()

    async def wait(self) -> None:
        await self._told.wait()

    @property
    def is_listened_to(self) -> bool:
        """An engine ends the phase in good order; it need not be broken off."""
        return self._listening > 0

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        self._listening += 1
        try:
            yield
        finally:
            self._listening -= 1
