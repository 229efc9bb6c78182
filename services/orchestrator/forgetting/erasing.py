"""Erases the bytes of what is forgotten, for many requests together."""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from services.orchestrator.forgetting.affected_answers import Indexer
from services.orchestrator.forgetting.receipts import erased
from shared.contract.errors import Refused, Transient
from shared.contract.events import ForgetRequested
from shared.contract.requests import EraseRows, GetReceipt, KeepReceipt, Receipt, Unerased

log = logging.getLogger(__name__)
_AT_ONCE: Final = timedelta(seconds=60)
"""How long it takes where it is not put off."""
_PUT_OFF_SHARE: Final = 0.75
"""Of the time within which the bytes have to be gone. The rest is for a store that is away."""
_LOOK_SECONDS: Final = 60.0


class ErasableTraces(Protocol):
    async def erase(self) -> None:
        """Erases the bytes of messages that were overwritten or expired before. Raises Transient."""
        ...


class Erasing:
    """The bytes of removed rows, points and messages, of all users. A receipt is `erased` after that."""

    def __init__(
        self, indexer: Indexer, traces: ErasableTraces, clock: Callable[[], datetime], *, hours: float
    ) -> None:
        """`hours`: within which the bytes are gone; 0: they are erased with each request."""
        self._indexer = indexer
        self._traces = traces
        self._clock = clock
        self._within = timedelta(hours=hours)
        self._running = asyncio.Lock()

    @property
    def is_at_once(self) -> bool:
        return not self._within

    def within(self, order: ForgetRequested) -> timedelta:
        return _AT_ONCE if order.now or self.is_at_once else self._within

    async def run(self) -> None:
        """Until it is cancelled. Several orchestrators may do so: to erase again does no harm."""
        longest = min(_LOOK_SECONDS, max(1.0, self._within.total_seconds() / 20))
        while True:
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  # not all at one moment
            try:
                if await self.is_due():
                    await self.erase()
            except (Transient, Refused) as error:
                log.warning("what is forgotten is not erased now, and is tried again: %s", error)

    async def is_due(self) -> bool:
        since = (await self._indexer.ask(Unerased())).since
        return since is not None and self._clock() - since >= _PUT_OFF_SHARE * self._within

    async def erase(self) -> None:
        async with self._running:
            receipts = await self._unerased()  # Before: what is forgotten meanwhile is erased the next time.
            await self._traces.erase()
            rows = (await self._indexer.ask(EraseRows())).stores
            by_store = {one.store: one for one in rows}
            for receipt in receipts:
                asked = GetReceipt(user=receipt.user, forget_id=receipt.forget_id)
                if await self._indexer.ask(asked) == receipt:  # Otherwise more was removed meanwhile.
                    await self._indexer.ask(KeepReceipt(receipt=erased(receipt, by_store)))
            log.info("erased the bytes of %d requests to forget", len(receipts))

    async def _unerased(self) -> list[Receipt]:
        receipts: list[Receipt] = []
        while True:
            page = await self._indexer.ask(Unerased(after=receipts[-1].forget_id if receipts else ""))
            receipts += page.receipts
            if not page.more:
                return receipts
