"""Statements in PostgreSQL, and the memories that are derived from them in the same transaction."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from services.indexer.memories.history import Known, history_of
from services.indexer.memories.memory import MemoryRow, Written, point_of, row_of
from services.indexer.memories.slots import key_of, slot_of
from services.indexer.memories.statement import Said, StatementSelection

_SAID = """user_id, statement_id, kind, subject, attribute, value, text, confidence, made_by, said_at,
    valid_from, valid_to, used_at, turn_id, session_id, message_ids, quote"""
_INSERT = f"""
INSERT INTO pandora.memory_statements ({_SAID}, slot, memory_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $2
WHERE NOT EXISTS (
    SELECT FROM pandora.forgotten_sources WHERE user_id = $1 AND source_id IN ($2, $14)
)
ON CONFLICT (user_id, statement_id) DO NOTHING
"""  # noqa: S608 - _SAID is a constant
_UPDATE = """
UPDATE pandora.memory_statements SET kind = $3, subject = $4, attribute = $5, value = $6, text = $7,
    confidence = $8, made_by = $9, valid_from = $10, valid_to = $11, slot = $12
WHERE user_id = $1 AND statement_id = $2
"""
_OF_SLOT = f"""
SELECT {_SAID} FROM pandora.memory_statements WHERE user_id = $1 AND slot = $2
"""  # noqa: S608 - _SAID is a constant
_SLOTS = """
SELECT DISTINCT slot FROM pandora.memory_statements WHERE user_id = $1 AND statement_id = ANY($2)
"""
_SLOT_OF_MEMORY = "SELECT slot FROM pandora.memory_statements WHERE user_id = $1 AND statement_id = $2"
_CLEAR = "DELETE FROM pandora.memories WHERE user_id = $1 AND slot = $2 RETURNING memory_id"
_KNOWN = """memory_id, user_id, text, kind, subject, attribute, value, confidence, made_by, valid_from,
    valid_to, superseded_by, contradicts, confirmed_at, used_at, evidence"""
SELECT = f"SELECT {_KNOWN} FROM pandora.memories"  # noqa: S608 - _KNOWN is a constant
_WRITE = f"""
INSERT INTO pandora.memories ({_KNOWN}, slot, subject_key, point_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""  # noqa: S608 - _KNOWN is a constant
_POINT_OUT = """
UPDATE pandora.memory_statements SET memory_id = $3 WHERE user_id = $1 AND statement_id = ANY($2)
"""
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


async def insert(connection: Any, said: Sequence[Said]) -> list[str]:
    """Adds statements of one user, but for those that are there or were forgotten. Returns their slots."""
    await connection.executemany(_INSERT, [(*_said_row(one), slot_of(one)) for one in said])
    records = await connection.fetch(_SLOTS, said[0].user, [one.statement_id for one in said])
    return [record["slot"] for record in records]


async def update(connection: Any, said: Sequence[Said]) -> None:
    await connection.executemany(_UPDATE, [_changed_row(one) for one in said])


async def forget(connection: Any, selected: StatementSelection) -> dict[str, list[str]]:
    """Deletes statements for good. Returns their ids by slot."""
    records = await connection.fetch(_FORGET, *msgspec.structs.astuple(selected))
    return {record["slot"]: record["statements"] for record in records}


async def derive_memories(connection: Any, user: str, slots: Collection[str]) -> Written:
    """Makes the memories of these slots anew."""
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


async def known_memory(connection: Any, user: str, memory_id: str) -> Known | None:
    """By the id of any of its statements."""
    slot = await connection.fetchval(_SLOT_OF_MEMORY, user, memory_id)
    history = [] if slot is None else await _history(connection, user, slot)
    return next((one for one in history if any(s.statement_id == memory_id for s in one.said)), None)


async def _history(connection: Any, user: str, slot: str) -> list[Known]:
    return history_of([_said(record) for record in await connection.fetch(_OF_SLOT, user, slot)])


def _said_row(said: Said) -> tuple[object, ...]:
    fields = msgspec.structs.asdict(said)
    fields["user_id"] = fields.pop("user")
    return tuple(fields[name.strip()] for name in _SAID.split(","))


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
