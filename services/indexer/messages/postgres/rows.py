"""Rows of messages in PostgreSQL, from which points are made."""

from collections.abc import Sequence
from uuid import UUID

from services.indexer.generations.backfill import Lock, RowKey
from services.indexer.generations.table import Place
from services.indexer.messages.postgres.messages import WANTED_AND_BESIDE, stored_message
from services.indexer.passages.passage import Run, passages_of, runs_of
from services.indexer.postgres.database import Database

_MESSAGE_KEYS = """
SELECT point_id, user_id, session_id, ordinal, indexed FROM pandora.messages
WHERE (user_id, session_id, ordinal) > ($1, $2, $3)
ORDER BY user_id, session_id, ordinal LIMIT $4
"""
_UNINDEXED_KEYS = _MESSAGE_KEYS.replace("WHERE ", "WHERE NOT indexed AND ")
_MESSAGES_AND_BESIDE = f"""
WITH wanted AS (SELECT user_id, session_id, ordinal FROM pandora.messages WHERE point_id = ANY($1))
{WANTED_AND_BESIDE}
"""  # noqa: S608 - WANTED_AND_BESIDE is a constant


class PostgresMessageRows:
    """Rows over PostgreSQL. A walk reads each session from its beginning."""

    def __init__(self, database: Database, lock: Lock) -> None:
        self._database = database
        self.lock = lock

    async def count(self) -> int:
        return int((await self._database.fetch("SELECT count(*) FROM pandora.messages"))[0][0])

    async def keys(self, after: Place | None, limit: int, *, unindexed: bool = False) -> list[RowKey]:
        query = _UNINDEXED_KEYS if unindexed else _MESSAGE_KEYS
        records = await self._database.fetch(query, *(after or ("", "", -1)), limit)
        return [RowKey(record["point_id"], list(record)[1:4], record["indexed"]) for record in records]

    async def read(self, ids: Sequence[UUID]) -> list[Run]:
        records = await self._database.fetch(_MESSAGES_AND_BESIDE, list(ids))
        return [passages_of(run) for run in runs_of([stored_message(record) for record in records])]

    async def written(self, ids: Sequence[UUID]) -> None:
        await self._database.fetch(
            "UPDATE pandora.messages SET indexed = true WHERE point_id = ANY($1) AND NOT indexed", list(ids)
        )

    async def there(self, ids: Sequence[UUID]) -> set[UUID]:
        query = "SELECT point_id FROM pandora.messages WHERE point_id = ANY($1)"
        return {record[0] for record in await self._database.fetch(query, list(ids))}
