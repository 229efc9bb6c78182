"""Tells a running turn to stop, and why."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Why = Literal["cancelled", "interrupted", "replaced", "timeout", "handed_back"]


class Stopping:
    """One for each run of a turn. The first reason counts."""

    def __init__(self) -> None:
        self.why: Why | None = None
        self._told = asyncio.Event()
        self._listening = 0

    def tell(self, why: Why) -> bool:
        """False where it was told before."""
        if self.why is not None:
            return False
        self.why = why
        self._told.set()
        return True

    async def wait(self) -> None:
        await self._told.wait()

    @property
    def is_listened_to(self) -> bool:
        """Somebody inside the phase ends it in good order; nobody else needs to."""
        return self._listening > 0

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        self._listening += 1
        try:
            yield
        finally:
            self._listening -= 1
