"""Builds a generation while another one answers, switches to it, and removes the retired ones."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec

from services.indexer.generations import sample
from services.indexer.generations.backfill import Backfill, RowKey, Rows
from services.indexer.generations.live import LiveGeneration
from services.indexer.generations.open_collections import OpenCollections
from services.indexer.generations.table import (
    GenerationRow,
    GenerationTable,
    Wanted,
    live_and_building,
    row_in_state,
)
from services.indexer.generations.writing import Generation
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Kind, Reindex, Reindexing, ReindexingReply

log = logging.getLogger(__name__)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    look_seconds: float = 2.0
    """Between two looks at what other indexers did."""
    notice_seconds: float = 0.0
    """Until all other indexers write to a new generation too; 0: there are no others."""
    grace_seconds: float = 10.0
    """Until a retired generation is removed, for searches that still use it."""


class Reindexer:
    """Answers requests to reindex, and builds in the background."""

    def __init__(
        self,
        table: GenerationTable,
        opened: OpenCollections,
        generation: LiveGeneration,
        row: GenerationRow,
        rows: Mapping[Kind, Rows],
        wanted: Wanted,
        pace: Pace,
    ) -> None:
        """`row` is that of the live generation."""
        self._table = table
        self._opened = opened
        self._generation = generation
        self._live = row
        self._rows = rows
        self._wanted = wanted
        self._pace = pace
        self._asked = asyncio.Event()
        self.has_compared = False
        """The stored vectors with those that the model computes now."""

    # --- answering ---

    @endpoint
    async def reindex(self, request: Reindex) -> ReindexingReply:
        """The same request again, while it is under way, changes nothing."""
        kinds = request.kinds or list(self._wanted.kinds)
        if unknown := sorted(set(kinds) - set(self._wanted.kinds)):
            known = ", ".join(self._wanted.kinds)
            raise Refused(422, f"kinds: there is no {', '.join(unknown)}; choose of {known}", "kinds")
        building = row_in_state("building", await self._table.rows())
        if building is not None and not set(kinds) <= set(building.kinds):
            raise Refused(409, f"{' and '.join(building.kinds)} are being built already; wait for their end")
        if building is None:
            await self._begin(kinds)
        self._asked.set()
        return await self.status()

    @endpoint
    async def show(self, request: Reindexing) -> ReindexingReply:
        return await self.status()

    async def status(self) -> ReindexingReply:
        live, building = await live_and_building(self._table)
        reply = ReindexingReply(
            running=building is not None,
            live=live.full_name,
            model=live.model,
            engine=self._generation.live.embedder.engine,
        )
        if building is None:
            return reply
        return msgspec.structs.replace(
            reply,
            building=building.full_name,
            building_model=building.model,
            kinds=building.kinds,
            done=building.done,
            total=building.total,
            started_at=building.started_at,
        )

    async def _begin(self, kinds: Sequence[Kind]) -> None:
        """Other kinds are shared with the live generation, where that is made as the wanted one."""
        if not self._wanted.is_made_as(self._live):
            kinds = list(self._wanted.kinds)
        kept = {kind: name for kind, name in self._live.collections.items() if kind not in kinds}
        await self._table.add("building", self._wanted.model, self._wanted.name, kinds, kept)

    # --- in the background ---

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._compare_once()
                await self._go_on()
            except Transient as error:
                log.info("reindexing goes on later: %s", error)
            except Exception:
                log.exception("reindexing failed; it is tried again")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look_seconds):
                    await self._asked.wait()
            self._asked.clear()

    async def _compare_once(self) -> None:
        """Builds those kinds again whose stored vectors are not those of the model as it computes now."""
        if self.has_compared:
            return
        building = row_in_state("building", await self._table.rows())
        if building is None and self._wanted.is_made_as(self._live):
            means = await sample.mean_cosines(self._generation.live, self._rows, uuid4())
            far = [kind for kind, mean in means.items() if mean < sample.LEAST_MEAN_COSINE]
            for kind in far:
                log.warning(
                    "%s: new vectors of kind %s have a mean cosine of %.3f to the stored ones, less than %s. "
                    "All of this kind are made again; the stored ones answer meanwhile",
                    *(self._live.full_name, kind, means[kind], sample.LEAST_MEAN_COSINE),
                )
            if far:
                await self._begin(far)
        self.has_compared = True

    async def _go_on(self) -> None:
        rows = await self._table.rows()
        await self._follow(rows)
        building = row_in_state("building", rows)
        if building is not None:
            async with self._table.alone() as alone:
                if alone:
                    await self._build(building)
            rows = await self._table.rows()
        await self._remove_retired(rows)

    async def _follow(self, rows: Sequence[GenerationRow]) -> None:
        """Opens what other indexers have begun or ended."""
        live, building = row_in_state("live", rows), row_in_state("building", rows)
        if live is not None and live.number != self._live.number:
            self._generation.switch(await self._opened.open(live))
            self._live = live
        if building is None:
            self._generation.building = None
        elif self._generation.building is None:
            self._generation.building = await self._opened.open(building)

    async def _build(self, row: GenerationRow) -> None:
        """Goes on at the place that was noted last, and switches at the end."""
        generation = self._generation.building
        if generation is None or generation.name != row.full_name:
            return  # It was ended or begun just now: the next look sees it.
        await asyncio.sleep(self._pace.notice_seconds)
        log.info("building %s; %s answers meanwhile", row.full_name, self._live.full_name)
        await self._fill(row, generation)
        if await self._table.switch(row.number):
            self._generation.switch(generation)
            self._live = row
            log.info("%s answers from now on", row.full_name)

    async def _fill(self, row: GenerationRow, generation: Generation) -> None:
        kinds = [kind for kind in row.kinds if kind in self._rows]
        total = sum([await self._rows[kind].count() for kind in kinds])
        kind, place = row.place or (None, None)
        if kind is not None:
            kinds = kinds[kinds.index(kind) :]
        done = row.done
        await self._table.note(row.number, row.place, done, total)
        for kind in kinds:

            async def note(keys: Sequence[RowKey], written: int, kind: Kind = kind) -> None:
                nonlocal done
                done += len(keys)
                await self._table.note(row.number, (kind, keys[-1].place), done, max(done, total))

            await Backfill(kind, self._rows[kind], generation, is_live=False).fill(place, note)
            place = None

    async def _remove_retired(self, rows: Sequence[GenerationRow]) -> None:
        used = {item for row in rows if row.state != "retired" for item in row.collections.items()}
        before = datetime.now(UTC) - timedelta(seconds=self._pace.grace_seconds)
        gone = [row for row in rows if row.retired_at is not None and row.retired_at <= before]
        if not gone:
            return
        await self._opened.keep_only([row for row in rows if row not in gone])
        for row in gone:
            for kind, name in set(row.collections.items()) - used:
                await self._opened.remove(kind, name)
            await self._table.remove(row.number)
