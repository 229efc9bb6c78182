"""The search of memory that runs while a model still thinks."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.contract.requests import Recalled


class EarlySearch:
    """At most one search, begun once and taken once."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Recalled] | None = None

    def start(self, search: Callable[[], Awaitable[Recalled]]) -> None:
        """Nothing, where one was begun and not taken yet."""
        if self._task is None:
            self._task = asyncio.create_task(_as_task(search))

    async def result(self) -> Recalled | None:
        """None where none was begun. Raises what the search does."""
        task, self._task = self._task, None
        return None if task is None else await task

    def drop(self) -> None:
        """No phase will take it."""
        task, self._task = self._task, None
        if task is not None:
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            task.cancel()


async def _as_task(search: Callable[[], Awaitable[Recalled]]) -> Recalled:
    return await search()
