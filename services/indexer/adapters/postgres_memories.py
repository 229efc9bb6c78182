"""Memories in PostgreSQL: what was said, and beside it what that makes known, kept in step."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.indexer.adapters.postgres import Database
from services.indexer.domain.memories import (
    Known,
    Said,
    history_of,
    key_of,
    plain_attribute,
    plain_subject,
    slot_of,
)
from services.indexer.domain.statements import MemoryRow, Written, changed, point_of, row_of
from shared.memories import Evidence
from shared.replies import MemoryChange, MemoryFilter

# One writer a user: whatever else is written, a slot is read and derived anew as a whole.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('memories:' || $1, 0))"
_SAID = """user_id, statement_id, kind, subject, attribute, value, text, confidence, made_by, said_at,
    valid_from, valid_to, used_at, turn_id, session_id, message_ids, quote"""
_INSERT = f"""
INSERT INTO pandora.memory_statements ({_SAID}, slot, memory_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $2
WHERE NOT EXISTS (
    SELECT FROM pandora.forgotten_sources WHERE user_id = $1 AND source_id IN ($2, $14)
)
ON CONFLICT (user_id, statement_id) DO NOTHING
"""  # noqa: S608 - constants
_UPDATE = """
UPDATE pandora.memory_statements SET kind = $3, subject = $4, attribute = $5, value = $6, text = $7,
    confidence = $8, made_by = $9, valid_from = $10, valid_to = $11, slot = $12
WHERE user_id = $1 AND statement_id = $2
"""
# S608: what is put in are constants.
_OF_SLOT = f"SELECT {_SAID} FROM pandora.memory_statements WHERE user_id = $1 AND slot = $2"  # noqa: S608
_SLOTS = """
SELECT DISTINCT slot FROM pandora.memory_statements WHERE user_id = $1 AND statement_id = ANY($2)
"""
_SLOT_OF_MEMORY = "SELECT slot FROM pandora.memory_statements WHERE user_id = $1 AND statement_id = $2"
_CLEAR = "DELETE FROM pandora.memories WHERE user_id = $1 AND slot = $2 RETURNING memory_id"
_KNOWN = """memory_id, user_id, text, kind, subject, attribute, value, confidence, made_by, valid_from,
    valid_to, superseded_by, contradicts, confirmed_at, used_at, evidence"""
_WRITE = f"""
INSERT INTO pandora.memories ({_KNOWN}, slot, subject_key, point_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""  # noqa: S608 - constants
_POINT_OUT = """
UPDATE pandora.memory_statements SET memory_id = $3 WHERE user_id = $1 AND statement_id = ANY($2)
"""
_GET = f"""
SELECT {_KNOWN} FROM pandora.memories WHERE user_id = $1 AND memory_id IN (
    SELECT memory_id FROM pandora.memory_statements WHERE user_id = $1 AND statement_id = ANY($2)
)
"""  # noqa: S608 - constants
# S608: what is put in are constants.
_AT_POINTS = f"SELECT {_KNOWN} FROM pandora.memories WHERE user_id = $1 AND point_id = ANY($2)"  # noqa: S608
_LIST = f"""
SELECT {_KNOWN} FROM pandora.memories
WHERE user_id = $1
    AND (cardinality($2::text[]) = 0 OR kind = ANY($2))
    AND ($3::text IS NULL OR subject_key = $3)
    AND ($4::text IS NULL OR attribute = $4)
    AND ($5::timestamptz IS NULL OR (valid_from <= $5 AND (valid_to IS NULL OR valid_to > $5)))
    AND NOT EXISTS (SELECT FROM unnest($6::text[]) AS word WHERE position(word IN lower(text)) = 0)
    AND ($7::timestamptz IS NULL OR (valid_from, memory_id) < ($7, $8))
ORDER BY valid_from DESC, memory_id DESC LIMIT $9
"""  # noqa: S608 - constants
_FORGET = """
WITH gone AS (
    DELETE FROM pandora.memory_statements WHERE user_id = $1 AND (
        memory_id IN (
            SELECT memory_id FROM pandora.memory_statements WHERE user_id = $1 AND statement_id = ANY($2)
        ) OR turn_id = ANY($3) OR (
            (session_id = ANY($4) OR $5)
            AND ($6::timestamptz IS NULL OR said_at <= $6 OR (turn_id IS NULL AND said_at > now()))
        )
    ) RETURNING statement_id, slot, turn_id, session_id
), noted AS (
    INSERT INTO pandora.forgotten_sources (user_id, source_id)
    SELECT $1, statement_id FROM gone UNION SELECT $1, unnest($3::text[])
    UNION SELECT $1, turn_id FROM gone WHERE turn_id IS NOT NULL AND ($5 OR session_id = ANY($4))
    ON CONFLICT DO NOTHING
)
SELECT slot, array_agg(statement_id) AS statements FROM gone GROUP BY slot
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
            await connection.executemany(_INSERT, [(*_said_row(one), slot_of(one)) for one in said])
            slots = await connection.fetch(_SLOTS, user, [one.statement_id for one in said])
            return await _derive(connection, user, [record["slot"] for record in slots])

    async def change(self, user: str, memory_id: str, change: MemoryChange) -> Written | None:
        """None where there is none. Raises Refused where it cannot be so."""
        async with self._writing(user) as connection:
            known = await _known(connection, user, memory_id)
            if known is None:
                return None
            said = changed(known, change)
            await connection.executemany(_UPDATE, [_changed_row(one) for one in said])
            slots = {slot_of(one) for one in [*known.said, *said]}
            return await _derive(connection, user, sorted(slots))

    async def remove(
        self,
        user: str,
        memory_ids: Sequence[str] = (),
        *,
        turn_ids: Sequence[str] = (),
        session_ids: Sequence[str] = (),
        everything: bool = False,
        until: datetime | None = None,
    ) -> Written:
        """Forgets these memories, or what these turns or sessions said; what is left is derived anew, so
        that what a forgotten statement had ended holds again. None of it comes back by a late delivery."""
        async with self._writing(user) as connection:
            records = await connection.fetch(
                _FORGET, user, list(memory_ids), list(turn_ids), list(session_ids), everything, until
            )
            written = await _derive(connection, user, [record["slot"] for record in records])
            removed = {one for record in records for one in record["statements"]}
            return msgspec.structs.replace(written, gone=sorted({*written.gone, *removed}))

    async def note_used(self, user: str, memory_ids: Sequence[str], at: datetime) -> None:
        await self._database.fetch(_USED, user, list(memory_ids), at)

    async def get(self, user: str, memory_ids: Sequence[str]) -> list[MemoryRow]:
        """By the id of any of their statements."""
        return [_row(record) for record in await self._database.fetch(_GET, user, list(memory_ids))]

    async def outdated(self, user: str, message_ids: Sequence[str], at: datetime) -> dict[str, list[str]]:
        """By message, the quotes in it of memories that held no more at that time."""
        quotes: dict[str, list[str]] = {}
        for record in await self._database.fetch(_OUTDATED, user, list(message_ids), at):
            for message_id in record["message_ids"]:
                quotes.setdefault(message_id, []).append(record["quote"])
        return quotes

    async def at_points(self, user: str, points: Sequence[UUID]) -> dict[UUID, MemoryRow]:
        rows = [_row(record) for record in await self._database.fetch(_AT_POINTS, user, list(points))]
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
        """Latest first; `at`: those that held then."""
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
        return [_row(record) for record in records]

    @asynccontextmanager
    async def _writing(self, user: str) -> AsyncIterator[Any]:
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK, user)
            yield connection


async def _derive(connection: Any, user: str, slots: Collection[str]) -> Written:
    memories: list[MemoryRow] = []
    before: set[str] = set()
    for slot in slots:  # All of them first: a memory may have moved from one to another.
        before |= {record["memory_id"] for record in await connection.fetch(_CLEAR, user, slot)}
    for slot in slots:
        for known in await _history(connection, user, slot):
            row = row_of(known)
            await connection.execute(
                _WRITE, *_known_row(row), slot, key_of(row.subject), point_of(user, row.memory_id)
            )
            statements = [one.statement_id for one in known.said]
            await connection.execute(_POINT_OUT, user, statements, row.memory_id)
            memories.append(row)
    return Written(memories=memories, gone=sorted(before - {row.memory_id for row in memories}))


async def _history(connection: Any, user: str, slot: str) -> list[Known]:
    return history_of([_said(record) for record in await connection.fetch(_OF_SLOT, user, slot)])


async def _known(connection: Any, user: str, memory_id: str) -> Known | None:
    slot = await connection.fetchval(_SLOT_OF_MEMORY, user, memory_id)
    history = [] if slot is None else await _history(connection, user, slot)
    return next((one for one in history if any(s.statement_id == memory_id for s in one.said)), None)


def _said_row(said: Said) -> tuple[object, ...]:
    return (
        said.user,
        said.statement_id,
        said.kind,
        said.subject,
        said.attribute,
        said.value,
        said.text,
        said.confidence,
        said.made_by,
        said.said_at,
        said.valid_from,
        said.valid_to,
        said.used_at,
        said.turn_id,
        said.session_id,
        said.message_ids,
        said.quote,
    )


def _changed_row(said: Said) -> tuple[object, ...]:
    return (*_said_row(said)[:9], said.valid_from, said.valid_to, slot_of(said))


def _said(record: Any) -> Said:
    fields = dict(record)
    return Said(user=fields.pop("user_id"), **fields)


def _known_row(row: MemoryRow) -> tuple[object, ...]:
    fields = msgspec.structs.asdict(row)
    fields["user_id"] = fields.pop("user")
    fields["evidence"] = msgspec.json.encode(row.evidence).decode()
    return tuple(fields[name.strip()] for name in _KNOWN.split(","))


def _row(record: Any) -> MemoryRow:
    fields = dict(record)
    fields["evidence"] = msgspec.json.decode(fields["evidence"], type=list[Evidence])
    return MemoryRow(user=fields.pop("user_id"), **fields)
