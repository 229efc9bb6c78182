"""Builds a generation beside the one that answers, switches to it, and removes what nobody needs any more."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec

from services.indexer.filling import Filling, RowKey, Rows
from services.indexer.generation import Generations
from services.indexer.generations import GenerationRow, GenerationTable, Opened
from shared.endpoints import Endpoint
from shared.errors import Refused, SettingsError, Transient
from shared.replies import Kind, Reindex, Reindexing, ReindexingReply

log = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings ask for."""

    model: str
    name: str
    """The model and the version of what is made of a text."""
    kinds: Sequence[Kind]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    look_seconds: float = 2.0
    """Between looks at what other processes did."""
    notice_seconds: float = 0.0
    """Until all other indexers write to a new generation as well; 0: there are no others."""
    grace_seconds: float = 10.0
    """Until nobody asks a retired generation any more."""


class Reindexer:
    """The collections that are live, those that are being built, and the way from the one to the other."""

    def __init__(
        self,
        table: GenerationTable,
        opened: Opened,
        generations: Generations,
        row: GenerationRow,
        rows: Mapping[Kind, Rows],
        wanted: Wanted,
        pace: Pace,
    ) -> None:
        """`row` is that of the live generation."""
        self._table = table
        self._opened = opened
        self._generations = generations
        self._live = row
        self._rows = rows
        self._wanted = wanted
        self._pace = pace
        self._asked = asyncio.Event()

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(Reindex, lambda request, send: self.reindex(request)),
            Endpoint(Reindexing, lambda request, send: self.status()),
        ]

    # --- answering ---

    async def reindex(self, request: Reindex) -> ReindexingReply:
        """The same asked again while it goes on changes nothing."""
        kinds = request.kinds or list(self._wanted.kinds)
        if unknown := sorted(set(kinds) - set(self._wanted.kinds)):
            raise Refused(422, f"there is no collection of {', '.join(unknown)}", "kinds")
        building = _of_state("building", await self._table.rows())
        if building is not None and not set(kinds) <= set(building.kinds):
            raise Refused(409, f"{' and '.join(building.kinds)} are being built already; wait for their end")
        if building is None:
            await self._begin(kinds)
        self._asked.set()
        return await self.status()

    async def status(self) -> ReindexingReply:
        live, building = await _live_and_building(self._table)
        reply = ReindexingReply(running=building is not None, live=live.full_name, model=live.model)
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
        """Of the wanted model; the other kinds are kept from the live one, where that is of the same."""
        fits = (self._live.model, self._live.name) == (self._wanted.model, self._wanted.name)
        if not fits:
            kinds = list(self._wanted.kinds)
        kept = {kind: name for kind, name in self._live.collections.items() if kind not in kinds}
        await self._table.add("building", self._wanted.model, self._wanted.name, kinds, kept)

    # --- in the background ---

    async def run(self) -> None:
        """As long as the process lives."""
        while True:
            try:
                await self._go_on()
            except Transient as error:
                log.info("reindexing goes on later: %s", error)
            except Exception:
                log.exception("reindexing failed; it is tried again")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look_seconds):
                    await self._asked.wait()
            self._asked.clear()

    async def _go_on(self) -> None:
        await self._follow()
        building = _of_state("building", await self._table.rows())
        if building is not None:
            async with self._table.alone() as alone:
                if alone:
                    await self._build(building)
        await self._tidy()

    async def _follow(self) -> None:
        """What other indexers have begun or ended."""
        rows = await self._table.rows()
        live, building = _of_state("live", rows), _of_state("building", rows)
        if live is not None and live.number != self._live.number:
            self._generations.switch(await self._opened.open(live))
            self._live = live
        if building is None:
            self._generations.building = None
        elif self._generations.building is None:
            self._generations.building = await self._opened.open(building)

    async def _build(self, row: GenerationRow) -> None:
        """Goes on where it stopped: at the place that was noted last."""
        generation = self._generations.building
        if generation is None or generation.name != row.full_name:
            return  # It was ended or begun just now: the next look sees it.
        await asyncio.sleep(self._pace.notice_seconds)
        log.info("building %s beside %s", row.full_name, self._live.full_name)
        total = sum([await self._rows[kind].count() for kind in row.kinds if kind in self._rows])
        kinds = [kind for kind in row.kinds if kind in self._rows]
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

            filling = Filling(kind, self._rows[kind], generation, is_live=False)
            await filling.fill(place, note)
            place = None
        if await self._table.switch(row.number):
            self._generations.switch(generation)
            self._live = row
            log.info("%s answers from here on", row.full_name)

    async def _tidy(self) -> None:
        rows = await self._table.rows()
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


async def open_live(
    table: GenerationTable, opened: Opened, wanted: Wanted
) -> tuple[GenerationRow, Generations]:
    """The generation that answers, and begins to build the wanted one where that is another.

    Raises SettingsError where the wanted model does not exist.
    """
    await opened.load(wanted.model)
    if _of_state("live", await table.rows()) is None:
        await table.add("live", wanted.model, wanted.name, wanted.kinds, {})
    live, building = await _live_and_building(table)
    asked_for = (wanted.model, wanted.name)
    if building is not None and (building.model, building.name) != asked_for:
        await table.retire(building.number)
        building = None
    try:
        generations = Generations(await opened.open(live))
    except SettingsError as error:
        log.warning("%s is lost: %s. It is made anew from the rows", live.full_name, error)
        for row in filter(None, (live, building)):
            await table.retire(row.number)
        await table.add("live", wanted.model, wanted.name, wanted.kinds, {})
        live, building = await _live_and_building(table)
        generations = Generations(await opened.open(live))
    if building is not None:
        generations.building = await opened.open(building)
    elif (live.model, live.name) != asked_for:
        await table.add("building", wanted.model, wanted.name, wanted.kinds, {})
    return live, generations


async def _live_and_building(table: GenerationTable) -> tuple[GenerationRow, GenerationRow | None]:
    rows = await table.rows()
    live = _of_state("live", rows)
    if live is None:
        raise Transient("no generation is live now")
    return live, _of_state("building", rows)


def _of_state(state: str, rows: Sequence[GenerationRow]) -> GenerationRow | None:
    return next((row for row in rows if row.state == state), None)
