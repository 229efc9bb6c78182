"""Repairs rows without points and turns without messages, which a crash or an upgrade has left."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from services.indexer.generations.backfill import Backfill, Rows
from services.indexer.generations.live import LiveGeneration
from services.indexer.messages.writing import MessageWriter
from services.indexer.passages.message import messages_of
from shared.contract.errors import Transient
from shared.contract.events import TurnSaved
from shared.contract.requests import Kind
from shared.process import metrics

log = logging.getLogger(__name__)
_TURNS_AT_ONCE = 256


class TurnsWithoutMessages(Protocol):
    """Saved turns of version 0.1, which stored no messages."""

    async def after(self, turn_number: int, limit: int) -> list[TurnSaved]:
        """The next ones by number that have a text."""
        ...


class Mending:
    """Every row gets its points, and every turn its messages."""

    def __init__(
        self,
        turns: TurnsWithoutMessages,
        rows: Mapping[Kind, Rows],
        messages: MessageWriter,
        generation: LiveGeneration,
        remove_first: Callable[[], Awaitable[None]],
    ) -> None:
        """`remove_first`: removes the collection of version 0.1, which nothing reads any more."""
        self.alone = asyncio.Lock()
        """Taken while rows or points are repaired."""
        self._turns = turns
        self._rows = rows
        self._messages = messages
        self._generation = generation
        self._remove_first = remove_first

    async def run(self, every_seconds: float) -> None:
        """Until it is cancelled; at once for the first time."""
        first = True
        while True:
            try:
                async with self.alone:
                    await self._mend(first=first)
                if first:
                    await self._remove_first()
                first = False
            except Transient as error:
                log.info("mending goes on later: %s", error)
                await asyncio.sleep(error.retry_in)
                continue
            except Exception:
                metrics.errors.labels("mending").inc()
                log.exception("mending failed; it is tried again")
            await asyncio.sleep(every_seconds)

    async def _mend(self, *, first: bool) -> None:
        """The first time it also compares the numbers of rows and points."""
        turns = await self.add_missing_messages()
        filled = 0
        for kind, rows in self._rows.items():
            backfill = Backfill(kind, rows, self._generation, is_live=True)
            filled += await backfill.fill(unindexed=True)
            # Points may have been lost: a folder was moved away, a collection deleted.
            if first and await self._generation.indexes[kind].count() < await rows.count():
                filled += await backfill.fill()
        if turns or filled:
            log.info("mended: %d turns without messages, %d rows without points", turns, filled)

    async def add_missing_messages(self) -> int:
        """Writes the missing rows of messages, in the order of the turns. Returns how many turns."""
        count, number = 0, 0
        while turns := await self._turns.after(number, _TURNS_AT_ONCE):
            number = turns[-1].turn_number
            await self._messages.add_rows([message for turn in turns for message in messages_of(turn)])
            count += len(turns)
        return count

    async def count_missing_messages(self) -> int:
        """How many turns have no messages."""
        count, number = 0, 0
        while turns := await self._turns.after(number, _TURNS_AT_ONCE):
            count, number = count + len(turns), turns[-1].turn_number
        return count
