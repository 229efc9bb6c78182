"""Removes pages that have expired."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from services.indexer.research.table import ResearchTable
from services.indexer.research.writing import PageWriter, utc_now
from shared.contract.errors import Transient
from shared.process import metrics

log = logging.getLogger(__name__)
_ROWS_STAY = timedelta(days=30)
_PAGES_AT_ONCE = 500
_ROUNDS = 20


class PageExpiry:
    """Removes the points of expired pages, which would cost every search, and their rows a month later."""

    def __init__(
        self, table: ResearchTable, writer: PageWriter, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._table = table
        self._writer = writer
        self._clock = clock

    async def run(self, every_seconds: float) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.sweep()
            except Transient as error:
                log.info("expired pages are removed later: %s", error)
            except Exception:
                metrics.errors.labels("research").inc()
                log.exception("expired pages were not removed; it is tried again")
            await asyncio.sleep(every_seconds)

    async def sweep(self) -> None:
        """Removes ten thousand of either at most; the others go the next time."""
        for _ in range(_ROUNDS):
            users = await self._table.users_of_expired(self._clock(), indexed=True, limit=_PAGES_AT_ONCE)
            if not users:
                break
            for user in users:
                await self._remove_points(user)
        for _ in range(_ROUNDS):
            before = self._clock() - _ROWS_STAY
            users = await self._table.users_of_expired(before, indexed=False, limit=_PAGES_AT_ONCE)
            if not users:
                break
            for user in users:
                await self._remove_rows(user, before)

    async def _remove_points(self, user: str) -> None:
        async with self._writer.alone(user):
            now = self._clock()
            points = await self._table.expired(user, now, indexed=True, limit=_PAGES_AT_ONCE)
            await self._writer.drop(points)
            await self._table.note_removed(points, now)

    async def _remove_rows(self, user: str, before: datetime) -> None:
        async with self._writer.alone(user):
            points = await self._table.expired(user, before, indexed=False, limit=_PAGES_AT_ONCE)
            await self._writer.drop(points)
            await self._table.delete(points)
