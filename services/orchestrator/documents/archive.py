"""Archives turns that were not used for long: in the background while little is to do, or on request."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from services.orchestrator.documents.ports import OldTurns
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused, Transient
from shared.contract.requests import ArchiveTurns, ArchiveTurnsReply

log = logging.getLogger(__name__)
_DAY_SECONDS: Final = 86_400.0
_ROUND_SECONDS = 3600.0
_REST_SECONDS = 0.05
"""Pause after each turn, in which running turns have the disk."""
_SHORT_REST_SECONDS = 0.001
"""The same after a step that takes less than a millisecond."""
_BUSY_SECONDS, _BUSY_LOOKS = 1.0, 10
_REQUEST_SECONDS = 1.0


class TurnArchive:
    """Several orchestrators may archive in the same folder; each turn is archived once."""

    def __init__(
        self,
        turns: OldTurns,
        clock: Callable[[], float],
        *,
        after_days: float,
        is_busy: Callable[[], bool],
    ) -> None:
        """`clock` returns seconds of the epoch. With 0 for `after_days` only requests archive."""
        self._turns = turns
        self._clock = clock
        self._after_days = after_days
        self._is_busy = is_busy

    async def run(self) -> None:
        while True:
            try:
                await self.sort()
                if self._after_days:
                    await self.round()
            except Transient as error:
                log.warning("turns are not archived now: %s", error)
            await asyncio.sleep(_ROUND_SECONDS)

    async def sort(self) -> None:
        """Lists the turns of earlier versions by their users."""
        for turn_id in await self._turns.unsorted():
            await self._wait_while_busy()
            await self._turns.sort(turn_id)
            await asyncio.sleep(_SHORT_REST_SECONDS)

    async def round(self) -> int:
        """Archives all turns that are old enough. Returns their number."""
        packed = 0
        for name in await self._old(self._after_days):
            await self._wait_while_busy()
            packed += await self._turns.pack(name) is not None
            await asyncio.sleep(_REST_SECONDS)
        if packed:
            log.info("archived %d turns that were not used for %g days", packed, self._after_days)
        return packed

    async def _wait_while_busy(self) -> None:
        """Waits for a limited time only, since turns may run without a pause."""
        for _ in range(_BUSY_LOOKS):
            if not self._is_busy():
                return
            await asyncio.sleep(_BUSY_SECONDS)

    @endpoint
    async def archive(self, request: ArchiveTurns) -> ArchiveTurnsReply:
        days = self._after_days if request.older_than_days is None else request.older_than_days
        if request.older_than_days is None and not days:
            raise Refused(
                422, "ARCHIVE_AFTER_DAYS is 0: nothing is old by itself; say how old", "older_than_days"
            )
        old = await self._old(days)
        if request.dry_run:
            size = sum([await self._turns.size_of(name) for name in old])
            return ArchiveTurnsReply(turns=len(old), bytes_before=size, bytes_after=0, left=0)
        return await self._archive(old)

    async def _archive(self, old: list[str]) -> ArchiveTurnsReply:
        ends = asyncio.get_running_loop().time() + _REQUEST_SECONDS
        looked = turns = before = after = 0
        for name in old:
            if looked and asyncio.get_running_loop().time() > ends:
                break
            looked += 1
            if (packed := await self._turns.pack(name)) is not None:
                turns += 1
                before += packed.bytes_before
                after += packed.bytes_after
        return ArchiveTurnsReply(turns=turns, bytes_before=before, bytes_after=after, left=len(old) - looked)

    async def _old(self, days: float) -> list[str]:
        return await self._turns.unused_since(self._clock() - days * _DAY_SECONDS)
