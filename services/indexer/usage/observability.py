"""What turns and their phases took, by day."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused, Transient
from shared.contract.events import TurnSaved
from shared.contract.requests import MOST_DAYS, GetObservability, ObservabilityReply, ObservedRow
from shared.process import metrics

log = logging.getLogger(__name__)
_MOST_ROWS = 3_000
"""In one answer: some 300 bytes each, and a NATS message has room for 1 MB."""


class FigureTable(Protocol):
    """What turns took, by day."""

    async def add(self, turns: Sequence[TurnSaved]) -> None:
        """Each turn once, however often it comes."""
        ...

    async def rows(self, days: int, name: str | None, *, limit: int) -> list[ObservedRow]: ...

    async def forget_counted(self) -> None:
        """Forgets which turns and observations were counted, where none of them can come again."""
        ...


class Observability:
    """Adds up what turns and their phases took, by day."""

    def __init__(self, table: FigureTable) -> None:
        self._table = table

    async def on_turns_saved(self, events: Sequence[TurnSaved]) -> None:
        await self._table.add(events)

    @endpoint
    async def get(self, request: GetObservability) -> ObservabilityReply:
        if not 1 <= request.days <= MOST_DAYS:
            raise Refused(422, f"days is {request.days}; it must be between 1 and {MOST_DAYS}", "days")
        return ObservabilityReply(rows=await self._table.rows(request.days, request.name, limit=_MOST_ROWS))

    async def run_sweeps(self, every_seconds: float) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._table.forget_counted()
            except Transient as error:
                log.info("what was counted is forgotten later: %s", error)
            except Exception:
                metrics.errors.labels("observability").inc()
                log.exception("what was counted is not forgotten; it is tried again")
            await asyncio.sleep(every_seconds)
