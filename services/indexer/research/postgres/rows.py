"""Rows of pages that have not expired in PostgreSQL, from which points are made."""

from collections.abc import Sequence
from uuid import UUID

from services.indexer.generations.backfill import Lock, RowKey
from services.indexer.generations.table import Place
from services.indexer.passages.passage import Run
from services.indexer.postgres.database import Database
from services.indexer.research.pages import page_passages
from services.indexer.research.postgres.pages import SELECT, page_row

_PAGE_KEYS = """
SELECT point_id, user_id, research_id, indexed FROM pandora.research
WHERE (user_id, research_id) > ($1, $2) AND expires_at > now()
ORDER BY user_id, research_id LIMIT $3
"""
_UNINDEXED_PAGE_KEYS = _PAGE_KEYS.replace("WHERE ", "WHERE NOT indexed AND ")
_PAGES = f"{SELECT} WHERE point_id = ANY($1)"
_PAGES_AT_ONCE = 32
"""Each may have many parts."""


class PostgresPageRows:
    """Rows over PostgreSQL."""

    def __init__(self, database: Database, lock: Lock) -> None:
        self._database = database
        self.lock = lock

    async def count(self) -> int:
        query = "SELECT count(*) FROM pandora.research WHERE expires_at > now()"
        return int((await self._database.fetch(query))[0][0])

    async def keys(self, after: Place | None, limit: int, *, unindexed: bool = False) -> list[RowKey]:
        query = _UNINDEXED_PAGE_KEYS if unindexed else _PAGE_KEYS
        records = await self._database.fetch(query, *(after or ("", "")), min(limit, _PAGES_AT_ONCE))
        return [RowKey(record["point_id"], list(record)[1:3], record["indexed"]) for record in records]

    async def read(self, ids: Sequence[UUID]) -> list[Run]:
        return [page_passages(page_row(record)) for record in await self._database.fetch(_PAGES, list(ids))]

    async def written(self, ids: Sequence[UUID]) -> None:
        await self._database.fetch(
            "UPDATE pandora.research SET indexed = true WHERE point_id = ANY($1) AND NOT indexed", list(ids)
        )

    async def there(self, ids: Sequence[UUID]) -> set[UUID]:
        query = "SELECT point_id FROM pandora.research WHERE point_id = ANY($1)"
        return {record[0] for record in await self._database.fetch(query, list(ids))}
