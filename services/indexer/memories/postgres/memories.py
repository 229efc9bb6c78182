"""Memories in PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.indexer.memories.intake import changed
from services.indexer.memories.memory import MemoryRow, Written, point_of
from services.indexer.memories.postgres.statements import (
    SELECT,
    derive_memories,
    forget,
    insert,
    known_memory,
    update,
)
from services.indexer.memories.slots import key_of, plain_attribute, plain_subject, slot_of
from services.indexer.memories.statement import Said, StatementSelection
from services.indexer.postgres.database import Database
from shared.contract.memories import Evidence
from shared.contract.requests import MemoryChange, MemoryFilter

# One writer a user: a slot is read and derived anew as a whole.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('memories:' || $1, 0))"
_GET = f"""
{SELECT} WHERE user_id = $1 AND memory_id IN (
    SELECT memory_id FROM pandora.memory_statements WHERE user_id = $1 AND statement_id = ANY($2)
)
"""  # noqa: S608 - SELECT is a constant
_AT_POINTS = f"{SELECT} WHERE user_id = $1 AND point_id = ANY($2)"
_LIST = f"""
{SELECT}
WHERE user_id = $1
    AND (cardinality($2::text[]) = 0 OR kind = ANY($2))
    AND ($3::text IS NULL OR subject_key = $3)
    AND ($4::text IS NULL OR attribute = $4)
    AND ($5::timestamptz IS NULL OR (valid_from <= $5 AND (valid_to IS NULL OR valid_to > $5)))
    AND NOT EXISTS (SELECT FROM unnest($6::text[]) AS word WHERE position(word IN lower(text)) = 0)
    AND ($7::timestamptz IS NULL OR (valid_from, memory_id) < ($7, $8))
ORDER BY valid_from DESC, memory_id DESC LIMIT $9
"""
_OUTDATED = """
SELECT said.message_ids, said.quote FROM pandora.memories AS known
JOIN pandora.memory_statements AS said USING (user_id, memory_id)
WHERE user_id = $1 AND known.valid_to <= $3 AND said.message_ids && $2 AND said.quote <> ''
ORDER BY said.said_at, said.statement_id
"""
_USED = """
WITH said AS (
    UPDATE pandora.memory_statements SET used_at = greatest(used_at, $3)
    WHERE user_id = $1 AND statement_id = ANY($2)
)
UPDATE pandora.memories SET used_at = greatest(used_at, $3) WHERE user_id = $1 AND memory_id = ANY($2)
"""


class PostgresMemoryTable:
    """MemoryTable over a pool of connections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, said: Sequence[Said]) -> Written:
        """All of one user. What is there already, or was forgotten, stays so."""
        if not said:
            return Written(memories=[], gone=[])
        user = said[0].user
        async with self._writing(user) as connection:
            return await derive_memories(connection, user, await insert(connection, said))

    async def change(self, user: str, memory_id: str, change: MemoryChange) -> Written | None:
        """None where there is no such memory. Raises Refused."""
        async with self._writing(user) as connection:
            known = await known_memory(connection, user, memory_id)
            if known is None:
                return None
            said = changed(known, change)
            await update(connection, said)
            slots = {slot_of(one) for one in [*known.said, *said]}
            return await derive_memories(connection, user, sorted(slots))

    async def remove(self, selected: StatementSelection) -> Written:
        """A memory that a forgotten statement had ended is valid again."""
        async with self._writing(selected.user) as connection:
            statements = await forget(connection, selected)
            written = await derive_memories(connection, selected.user, list(statements))
            removed = {one for of_slot in statements.values() for one in of_slot}
            return msgspec.structs.replace(written, gone=sorted({*written.gone, *removed}))

    async def note_used(self, user: str, memory_ids: Sequence[str], at: datetime) -> None:
        await self._database.fetch(_USED, user, list(memory_ids), at)

    async def get(self, user: str, memory_ids: Sequence[str]) -> list[MemoryRow]:
        """By the id of any of their statements."""
        return [memory_row(record) for record in await self._database.fetch(_GET, user, list(memory_ids))]

    async def outdated(self, user: str, message_ids: Sequence[str], at: datetime) -> dict[str, list[str]]:
        """By message, the quotes in it of memories that had ended at that time."""
        quotes: dict[str, list[str]] = {}
        for record in await self._database.fetch(_OUTDATED, user, list(message_ids), at):
            for message_id in record["message_ids"]:
                quotes.setdefault(message_id, []).append(record["quote"])
        return quotes

    async def at_points(self, user: str, points: Sequence[UUID]) -> dict[UUID, MemoryRow]:
        rows = [memory_row(record) for record in await self._database.fetch(_AT_POINTS, user, list(points))]
        return {point_of(user, row.memory_id): row for row in rows}

    async def find(
        self,
        user: str,
        where: MemoryFilter,
        *,
        at: datetime | None,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> list[MemoryRow]:
        since, memory_id = before or (None, None)
        records = await self._database.fetch(
            _LIST,
            user,
            list(where.kinds),
            None if where.subject is None else key_of(plain_subject(where.subject)),
            None if where.attribute is None else plain_attribute(where.attribute),
            at,
            where.words.lower().replace("\0", " ").split(),
            since,
            memory_id,
            limit,
        )
        return [memory_row(record) for record in records]

    @asynccontextmanager
    async def _writing(self, user: str) -> AsyncIterator[Any]:
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK, user)
            yield connection


def memory_row(record: Any) -> MemoryRow:
    fields = dict(record)
    fields["evidence"] = msgspec.json.decode(fields["evidence"], type=list[Evidence])
    return MemoryRow(user=fields.pop("user_id"), **fields)
