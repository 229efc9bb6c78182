"""Which generation answers as the indexer starts."""

import logging

from services.indexer.generations.live import LiveGeneration
from services.indexer.generations.open_collections import OpenCollections
from services.indexer.generations.table import (
    GenerationRow,
    GenerationTable,
    Wanted,
    live_and_building,
    row_in_state,
)
from shared.process.environment import SettingsError

log = logging.getLogger(__name__)


async def open_live(
    table: GenerationTable, opened: OpenCollections, wanted: Wanted
) -> tuple[GenerationRow, LiveGeneration]:
    """Opens the live generation, and begins to build the wanted one where that is another.

    Raises SettingsError where the wanted model does not exist.
    """
    await opened.load(wanted.model)
    if row_in_state("live", await table.rows()) is None:
        await _add_live(table, wanted)
    live, building = await live_and_building(table)
    if building is not None and not wanted.is_made_as(building):
        await table.retire(building.number)
        building = None
    try:
        generation = LiveGeneration(await opened.open(live))
    except SettingsError as error:
        log.warning(
            "%s cannot be opened: %s. All its points are made anew from the rows", live.full_name, error
        )
        for row in filter(None, (live, building)):
            await table.retire(row.number)
        await _add_live(table, wanted)
        live, building = await live_and_building(table)
        generation = LiveGeneration(await opened.open(live))
    if building is not None:
        generation.building = await opened.open(building)
    elif not wanted.is_made_as(live):
        await table.add("building", wanted.model, wanted.name, wanted.kinds, {})
    return live, generation


async def _add_live(table: GenerationTable, wanted: Wanted) -> None:
    await table.add("live", wanted.model, wanted.name, wanted.kinds, {})
