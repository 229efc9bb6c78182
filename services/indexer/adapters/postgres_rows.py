"""Walks over the rows that points are made from, in PostgreSQL."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_memories import _KNOWN, _row
from services.indexer.adapters.postgres_messages import _COLUMNS, _message
from services.indexer.adapters.postgres_research import COLUMNS, page_row
from services.indexer.adapters.postgres_turns import images_of
from services.indexer.domain.messages import messages_of
from services.indexer.domain.pages import page_passages
from services.indexer.domain.passages import passages_of, runs_of
from services.indexer.domain.statements import passage_of
from services.indexer.filling import Place, RowKey
from services.indexer.generation import Run
from shared.events import TurnSaved

Held = Callable[[Sequence[Run]], AbstractAsyncContextManager[None]]
_MESSAGE_KEYS = """
SELECT point_id, user_id, session_id, ordinal, indexed FROM pandora.messages
WHERE (user_id, session_id, ordinal) > ($1, $2, $3)
ORDER BY user_id, session_id, ordinal LIMIT $4
"""
_UNINDEXED_KEYS = _MESSAGE_KEYS.replace("WHERE ", "WHERE NOT indexed AND ")
# Two before and after: those right beside are written anew, with what stands beside them.
_MESSAGES_AND_BESIDE = f"""
WITH near AS (
    SELECT DISTINCT user_id, session_id, ordinal + distance AS ordinal
    FROM pandora.messages, generate_series(-2, 2) AS distance WHERE point_id = ANY($1)
)
SELECT {_COLUMNS} FROM pandora.messages JOIN near USING (user_id, session_id, ordinal)
ORDER BY user_id, session_id, ordinal
"""  # noqa: S608 - constants
_MEMORY_KEYS = """
SELECT point_id, user_id, memory_id FROM pandora.memories
WHERE (user_id, memory_id) > ($1, $2) AND (valid_to IS NULL OR valid_to > now())
ORDER BY user_id, memory_id LIMIT $3
"""
_MEMORIES = f"SELECT {_KNOWN} FROM pandora.memories WHERE point_id = ANY($1)"  # noqa: S608 - constants
_PAGE_KEYS = """
SELECT point_id, user_id, research_id, indexed FROM pandora.research
WHERE (user_id, research_id) > ($1, $2) AND expires_at > now()
ORDER BY user_id, research_id LIMIT $3
"""
_UNINDEXED_PAGE_KEYS = _PAGE_KEYS.replace("WHERE ", "WHERE NOT indexed AND ")
_PAGES = f"SELECT {COLUMNS} FROM pandora.research WHERE point_id = ANY($1)"  # noqa: S608 - constants
_PAGES_AT_ONCE = 32
"""Each may have many parts."""
_TURNS_WITHOUT_MESSAGES = """
SELECT turn_id, turn_number, session_id, user_id, input, output, recipe, model, topic, intent, quality,
    turn_dir, quoted, images, timestamp
FROM pandora.turns AS t
WHERE status = 'saved' AND turn_number > $1
    AND NOT EXISTS (SELECT FROM pandora.messages AS m WHERE m.turn_id = t.turn_id)
ORDER BY turn_number LIMIT $2
"""


class PostgresMessageRows:
    """Rows of messages. A session is walked through from its beginning."""

    def __init__(self, database: Database, held: Held) -> None:
        self._database = database
        self.held = held

    async def count(self) -> int:
        return int((await self._database.fetch("SELECT count(*) FROM pandora.messages"))[0][0])

    async def keys(self, after: Place | None, limit: int, *, unindexed: bool = False) -> list[RowKey]:
        query = _UNINDEXED_KEYS if unindexed else _MESSAGE_KEYS
        records = await self._database.fetch(query, *(after or ("", "", -1)), limit)
        return [RowKey(record["point_id"], list(record)[1:4], record["indexed"]) for record in records]

    async def read(self, ids: Sequence[UUID]) -> list[Run]:
        records = await self._database.fetch(_MESSAGES_AND_BESIDE, list(ids))
        return [passages_of(run) for run in runs_of([_message(record) for record in records])]

    async def written(self, ids: Sequence[UUID]) -> None:
        await self._database.fetch(
            "UPDATE pandora.messages SET indexed = true WHERE point_id = ANY($1) AND NOT indexed", list(ids)
        )

    async def there(self, ids: Sequence[UUID]) -> set[UUID]:
        query = "SELECT point_id FROM pandora.messages WHERE point_id = ANY($1)"
        return {record[0] for record in await self._database.fetch(query, list(ids))}


class PostgresMemoryRows:
    """Rows of memories that are found: those that have not ended."""

    def __init__(self, database: Database, held: Held) -> None:
        self._database = database
        self.held = held

    async def count(self) -> int:
        query = "SELECT count(*) FROM pandora.memories WHERE valid_to IS NULL OR valid_to > now()"
        return int((await self._database.fetch(query))[0][0])

    async def keys(self, after: Place | None, limit: int, *, unindexed: bool = False) -> list[RowKey]:
        """A memory's row does not tell whether its point is written: none is known as unindexed."""
        if unindexed:
            return []
        records = await self._database.fetch(_MEMORY_KEYS, *(after or ("", "")), limit)
        return [RowKey(record["point_id"], list(record)[1:3]) for record in records]

    async def read(self, ids: Sequence[UUID]) -> list[Run]:
        return [[passage_of(_row(record))] for record in await self._database.fetch(_MEMORIES, list(ids))]

    async def written(self, ids: Sequence[UUID]) -> None:
        return None

    async def there(self, ids: Sequence[UUID]) -> set[UUID]:
        query = "SELECT point_id FROM pandora.memories WHERE point_id = ANY($1)"
        return {record[0] for record in await self._database.fetch(query, list(ids))}


class PostgresPageRows:
    """Rows of pages that are found: those that have not expired."""

    def __init__(self, database: Database, held: Held) -> None:
        self._database = database
        self.held = held

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


class PostgresUnsaidTurns:
    """Saved turns whose messages are missing: those of before migration 0003."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, turn_number: int, limit: int) -> list[TurnSaved]:
        """The next ones by number that said anything."""
        while records := await self._database.fetch(_TURNS_WITHOUT_MESSAGES, turn_number, limit):
            turns = [_turn(dict(record)) for record in records]
            if said := [turn for turn in turns if messages_of(turn)]:
                return said
            turn_number = turns[-1].turn_number
        return []


def _turn(fields: dict[str, object]) -> TurnSaved:
    """When it was asked is not in its row: shortly before it was saved."""
    at = fields.pop("timestamp")
    fields["user"] = fields.pop("user_id")
    fields["images"] = images_of(str(fields["images"]))
    return TurnSaved(**fields, keywords=[], requested_at=at, saved_at=at)  # type: ignore[arg-type]
