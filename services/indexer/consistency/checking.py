"""Compares every row with every point, when a user asks for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from services.indexer.consistency.mending import Mending
from services.indexer.generations.backfill import PAGE_ROWS, Backfill, Rows
from services.indexer.generations.live import LiveGeneration
from shared.bus.endpoints import Send, endpoint
from shared.contract.errors import Refused
from shared.contract.requests import Check, CheckedKind, CheckReply, Kind, StillChecking

_POINTS_AT_ONCE = 1_000
_SIGN_OF_LIFE_SECONDS = 0.5
Checked = Callable[[int], Awaitable[None]]
"""Called with how many more rows or points were looked at."""


class Checking:
    """One check at a time, and none while rows and points are being mended."""

    def __init__(self, rows: Mapping[Kind, Rows], generation: LiveGeneration, mending: Mending) -> None:
        self._rows = rows
        self._generation = generation
        self._mending = mending

    @endpoint
    async def check(self, request: Check, send: Send[StillChecking]) -> CheckReply:
        """Every row and every point. One at a time."""
        if self._mending.alone.locked():
            raise Refused(409, "rows and points are being mended now; ask again when that has ended")
        async with self._mending.alone:
            signs = _SignsOfLife(send)
            if request.mend:
                turns = await self._mending.add_missing_messages()
            else:
                turns = await self._mending.count_missing_messages()
            kinds = [
                await self._check_kind(kind, rows, signs.add, mend=request.mend)
                for kind, rows in self._rows.items()
            ]
        return CheckReply(kinds=kinds, turns_without_messages=turns, mended=request.mend)

    async def _check_kind(self, kind: Kind, rows: Rows, checked: Checked, *, mend: bool) -> CheckedKind:
        backfill = Backfill(kind, rows, self._generation, is_live=True)
        without_rows = await self._without_rows(kind, rows, checked, mend=mend)
        without_points, after = 0, None
        while keys := await rows.keys(after, PAGE_ROWS):
            after = keys[-1].place
            without_points += len(await backfill.missing(keys))
            await checked(len(keys))
        if mend and without_points:
            await backfill.fill()
        return CheckedKind(
            kind=kind,
            rows=await rows.count(),
            points=await self._generation.indexes[kind].count(),
            rows_without_points=without_points,
            points_without_rows=without_rows,
        )

    async def _without_rows(self, kind: Kind, rows: Rows, checked: Checked, *, mend: bool) -> int:
        """Points without a row are orphans: a row is written before its points and removed before them."""
        index = self._generation.live.indexes[kind]
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
                await self._generation.indexes[kind].drop(sorted(gone)[begin : begin + _POINTS_AT_ONCE])
        return len(gone)


class _SignsOfLife:
    """Sends how much was checked, twice a second at most."""

    def __init__(self, send: Send[StillChecking]) -> None:
        self._send = send
        self._checked = 0
        self._said_at = 0.0

    async def add(self, count: int) -> None:
        self._checked += count
        now = asyncio.get_running_loop().time()
        if now - self._said_at >= _SIGN_OF_LIFE_SECONDS:
            self._said_at = now
            await self._send(StillChecking(checked=self._checked))
