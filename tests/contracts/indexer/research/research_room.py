"""Pages as a test keeps them, and finds them again, over a real PostgreSQL and a real Qdrant Edge."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.indexer.research.expiry import PageExpiry
from services.indexer.research.postgres.pages import PostgresResearchTable
from services.indexer.research.reading import PageReader
from shared.contract.events import ResearchSaved
from shared.contract.requests import FreshResearch, Hit, Page, Search
from tests.contracts.indexer.generations.generations_room import Process
from tests.unit.samples import fetched

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


def page(number: int, text: str, **more: Any) -> ResearchSaved:
    fields = {"fetched_at": NOW - HOUR, "expires_at": NOW + WEEK, "requested_at": NOW - 2 * HOUR, **more}
    return fetched(number, text, **fields)


async def keep(process: Process, *pages: ResearchSaved) -> None:
    for one in pages:
        await process.research.on_research_saved(one)


async def hits(process: Process, query: str, user: str = "alice", **more: Any) -> list[Hit]:
    asked = Search(user=user, query=query, **{"kinds": ["research"], **more})
    return (await process.searching.search(asked)).hits


async def fresh(process: Process, user: str = "alice", **asked: Any) -> list[Page]:
    return (await process.pages.fresh(FreshResearch(user=user, **asked))).pages


def read_at(process: Process, now: datetime) -> PageReader:
    """Reads the same pages at another time."""
    table = PostgresResearchTable(process.database)
    return PageReader(table, process.sources, process.generation, lambda: now)


async def sweep_at(process: Process, now: datetime) -> None:
    await PageExpiry(PostgresResearchTable(process.database), process.research, lambda: now).sweep()


async def points(process: Process) -> int:
    return await process.generation.indexes["research"].count()


async def rows(process: Process) -> list[str]:
    records = await process.database.fetch("SELECT research_id FROM pandora.research ORDER BY research_id")
    return [record[0] for record in records]
