"""Holds rows and points against each other, and puts right what a crash or an upgrade has left."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from uuid import UUID

from services.indexer.domain.messages import messages_of
from services.indexer.filling import PAGE_ROWS, Filling, Rows
from services.indexer.generation import Generations
from services.indexer.remembering import Remembering
from shared import metrics
from shared.endpoints import Endpoint, Send
from shared.errors import Refused, Transient
from shared.events import TurnSaved
from shared.replies import Check, CheckedKind, CheckReply, Kind, StillChecking

log = logging.getLogger(__name__)
_TURNS_AT_ONCE = 256
_POINTS_AT_ONCE = 1_000
_SIGN_OF_LIFE_SECONDS = 0.5


class UnsaidTurns(Protocol):
    """Saved turns whose messages are missing: those of before there were messages."""

    async def after(self, turn_number: int, limit: int) -> list[TurnSaved]: ...


Checked = Callable[[int], Awaitable[None]]
"""Called with how many more rows or points were looked at."""


class Mending:
    """Nothing that was said stays unfound, and nothing is found that is not there any more."""

    def __init__(
        self,
        turns: UnsaidTurns,
        rows: Mapping[Kind, Rows],
        remembering: Remembering,
        generations: Generations,
        remove_first: Callable[[], Awaitable[None]],
    ) -> None:
        """`remove_first`: removes the collection of version 0.1, which nothing reads any more."""
        self._turns = turns
        self._rows = rows
        self._remembering = remembering
        self._generations = generations
        self._remove_first = remove_first
        self._mending = asyncio.Lock()

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(Check, self.check)]

    # --- in the background ---

    async def run(self, every_seconds: float) -> None:
        """As long as the process lives; at once for the first time."""
        first = True
        while True:
            try:
                async with self._mending:
                    await self._mend_what_shows(first=first)
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

    async def _mend_what_shows(self, *, first: bool) -> None:
        """Turns without messages and messages without points; and all rows where too few points say so."""
        turns = await self._say_turns()
        filled = 0
        for kind, rows in self._rows.items():
            filling = Filling(kind, rows, self._generations, is_live=True)
            filled += await filling.fill(unindexed=True)
            # Lost since they were written: a folder that was moved away, a collection that was deleted.
            if first and await self._generations.indexes[kind].count() < await rows.count():
                filled += await filling.fill()
        if turns or filled:
            log.info("mended: %d turns without messages, %d rows without points", turns, filled)

    async def _say_turns(self) -> int:
        """Their messages get rows, in the order of the turns; points come next."""
        count, number = 0, 0
        while turns := await self._turns.after(number, _TURNS_AT_ONCE):
            number = turns[-1].turn_number
            await self._remembering.add_rows([message for turn in turns for message in messages_of(turn)])
            count += len(turns)
        return count

    # --- when it is asked ---

    async def check(self, request: Check, send: Send) -> CheckReply:
        """Every row and every point. One at a time."""
        if self._mending.locked():
            raise Refused(409, "rows and points are being mended now; ask again when that has ended")
        async with self._mending:
            signs = _SignsOfLife(send)
            turns = await self._say_turns() if request.mend else await self._count_unsaid_turns()
            kinds = [
                await self._check_kind(kind, rows, signs.add, mend=request.mend)
                for kind, rows in self._rows.items()
            ]
        return CheckReply(kinds=kinds, turns_without_messages=turns, mended=request.mend)

    async def _count_unsaid_turns(self) -> int:
        count, number = 0, 0
        while turns := await self._turns.after(number, _TURNS_AT_ONCE):
            count, number = count + len(turns), turns[-1].turn_number
        return count

    async def _check_kind(self, kind: Kind, rows: Rows, checked: Checked, *, mend: bool) -> CheckedKind:
        filling = Filling(kind, rows, self._generations, is_live=True)
        without_rows = await self._orphans(kind, rows, checked, mend=mend)
        without_points, after = 0, None
        while keys := await rows.keys(after, PAGE_ROWS):
            after = keys[-1].place
            without_points += len(await filling.missing(keys))
            await checked(len(keys))
        if mend and without_points:
            await filling.fill()
        return CheckedKind(
            kind=kind,
            rows=await rows.count(),
            points=await self._generations.indexes[kind].count(),
            rows_without_points=without_points,
            points_without_rows=without_rows,
        )

    async def _orphans(self, kind: Kind, rows: Rows, checked: Checked, *, mend: bool) -> int:
        """Points whose message is not there; a row is written before its points, and removed before them."""
        index = self._generations.live.indexes[kind]
        after: UUID | None = None
        gone: set[UUID] = set()
        while True:
            messages, after = await index.messages(after, _POINTS_AT_ONCE)
            gone |= set(messages) - await rows.there(messages)
            await checked(len(messages))
            if after is None:
                break
        if mend:
            for begin in range(0, len(gone), _POINTS_AT_ONCE):
                await self._generations.indexes[kind].drop(sorted(gone)[begin : begin + _POINTS_AT_ONCE])
        return len(gone)


class _SignsOfLife:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._checked = 0
        self._said_at = 0.0

    async def add(self, count: int) -> None:
        self._checked += count
        now = asyncio.get_running_loop().time()
        if now - self._said_at >= _SIGN_OF_LIFE_SECONDS:
            self._said_at = now
            await self._send(StillChecking(checked=self._checked))
