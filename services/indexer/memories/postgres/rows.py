"""Rows of memories that have not ended in PostgreSQL, from which points are made."""

from collections.abc import Sequence
from uuid import UUID

from services.indexer.generations.backfill import Lock, RowKey
from services.indexer.generations.table import Place
from services.indexer.memories.memory import passage_of
from services.indexer.memories.postgres.memories import memory_row
from services.indexer.memories.postgres.statements import SELECT
from services.indexer.passages.passage import Run
from services.indexer.postgres.database import Database

_MEMORY_KEYS = """
SELECT point_id, user_id, memory_id FROM pandora.memories
WHERE (user_id, memory_id) > ($1, $2) AND (valid_to IS NULL OR valid_to > now())
ORDER BY user_id, memory_id LIMIT $3
"""
_MEMORIES = f"{SELECT} WHERE point_id = ANY($1)"


class PostgresMemoryRows:
    """Rows over PostgreSQL."""

    def __init__(self, database: Database, lock: Lock) -> None:
        self._database = database
        self.lock = lock

    async def count(self) -> int:
        query = "SELECT count(*) FROM pandora.memories WHERE valid_to IS NULL OR valid_to > now()"
        return int((await self._database.fetch(query))[0][0])

    async def keys(self, after: Place | None, limit: int, *, unindexed: bool = False) -> list[RowKey]:
        """A memory's row does not say whether it has a point, so none is unindexed."""
        if unindexed:
            return []
        records = await self._database.fetch(_MEMORY_KEYS, *(after or ("", "")), limit)
        return [RowKey(record["point_id"], list(record)[1:3]) for record in records]

    async def read(self, ids: Sequence[UUID]) -> list[Run]:
        return [
            [passage_of(memory_row(record))] for record in await self._database.fetch(_MEMORIES, list(ids))
        ]

    async def written(self, ids: Sequence[UUID]) -> None:
        return None

    async def there(self, ids: Sequence[UUID]) -> set[UUID]:
        query = "SELECT point_id FROM pandora.memories WHERE point_id = ANY($1)"
        return {record[0] for record in await self._database.fetch(query, list(ids))}
