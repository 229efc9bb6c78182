"""Pages as a test keeps them, and finds them again, over a real PostgreSQL and a real Qdrant Edge."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.indexer.adapters.postgres_research import PostgresResearchTable
from services.indexer.research import Research
from shared.events import ResearchSaved
from shared.replies import FreshResearch, Hit, Page, Search
from tests.contracts.generations_room import Process
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
    return (await process.research.fresh(FreshResearch(user=user, **asked))).pages


def at(process: Process, now: datetime) -> Research:
    """The same, at another time."""
    table = PostgresResearchTable(process.database)
    return Research(table, process.sources, process.generations, lambda: now)


async def points(process: Process) -> int:
    return await process.generations.indexes["research"].count()


async def rows(process: Process) -> list[str]:
    records = await process.database.fetch("SELECT research_id FROM pandora.research ORDER BY research_id")
    return [record[0] for record in records]
