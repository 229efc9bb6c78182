"""Statements that name rows read those rows alone, also in a young store without statistics."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from services.indexer.forgetting.postgres import forgotten
from services.indexer.memories.postgres import memories
from services.indexer.messages.postgres import messages, rows, turns
from services.indexer.postgres.migrations import migrate
from services.indexer.research.postgres import pages
from services.indexer.search import postgres as found

_ROWS = 20_000
"""Of one user."""
_FILL = (
    f"""
INSERT INTO pandora.messages (point_id, user_id, session_id, message_id, ordinal, speaker, role, text, at,
    turn_id, turn_number)
SELECT gen_random_uuid(), 'alice', 's' || n / 20, 'm' || n, n % 20, 'user', 'user', 'bees', now(), 't' || n, n
FROM generate_series(1, {_ROWS}) AS n
""",
    f"""
INSERT INTO pandora.turns (turn_number, turn_id, user_id, session_id, topic, intent, keywords, quality,
    turn_dir, embedding_id, recipe, model, input, output, quoted, status)
SELECT n, 't' || n, 'alice', 's' || n / 20, '', '', '[]', 0.5, '', gen_random_uuid(), '', '', '', '', false,
    'saved'
FROM generate_series(1, {_ROWS}) AS n
""",
    f"""
INSERT INTO pandora.memories (user_id, memory_id, slot, kind, subject, subject_key, attribute, value, text,
    confidence, made_by, valid_from, contradicts, confirmed_at, evidence, point_id)
SELECT 'alice', 'm' || n, 's' || n, 'note', 'user', 'user', '', '', 'bees', 1, 'user', now(), '{{}}', now(),
    '[]', gen_random_uuid()
FROM generate_series(1, {_ROWS}) AS n
""",
    f"""
INSERT INTO pandora.research (user_id, research_id, point_id, primary_topic, quality_overall,
    confidence_current, expires_at, scope, content_types, url, domain, title, text, fetched_at, began_at)
SELECT 'alice', 'r' || n, gen_random_uuid(), '', 1, 1, now() + '1 day', 'user', '[]',
    'http://bees/' || n, 'bees', '', '', now(), now()
FROM generate_series(1, {_ROWS}) AS n
""",
)


@pytest.fixture
async def young(database: str) -> AsyncIterator[asyncpg.Connection]:
    await migrate(database)
    connection = await asyncpg.connect(database)
    for table in ("messages", "turns", "memories", "research"):
        await connection.execute(f"ALTER TABLE pandora.{table} SET (autovacuum_enabled = false)")
    for statement in _FILL:
        await connection.execute(statement)
    yield connection
    await connection.close()


async def test_statements_that_name_rows_read_those_alone(young: asyncpg.Connection) -> None:
    said, remembered, fetched = [
        [row[0] for row in await young.fetch(f"SELECT point_id FROM pandora.{table} LIMIT 20")]
        for table in ("messages", "memories", "research")
    ]
    turn_ids = [f"t{number}" for number in range(100, 120)]
    asked: dict[str, tuple[Any, ...]] = {
        messages._GET: ("alice", said),
        messages._USED: ("alice", said, [1] * len(said)),
        messages._UNINDEXED: (said,),
        rows._MESSAGES_AND_BESIDE: (said,),
        turns._NEIGHBOURS: ("alice", turn_ids),
        found._FOUND: ("alice", said),
        memories._AT_POINTS: ("alice", remembered),
        pages._AT_POINTS: ("alice", datetime.now(UTC), fetched),
        forgotten._NEIGHBOURS: ("alice", [f"s{number}" for number in range(20)], list(range(20))),
        forgotten._REMOVE_ANSWERS: ("alice", turn_ids),
        forgotten._CLEAR_TURNS: ("alice", turn_ids),
    }

    read = {statement: await rows_read(young, statement, *values) for statement, values in asked.items()}

    assert {statement: number for statement, number in read.items() if number > _ROWS / 10} == {}


async def rows_read(connection: asyncpg.Connection, statement: str, *values: Any) -> int:
    """From tables and indexes, also those that are then left out. What the statement changes is undone."""
    change = connection.transaction()
    await change.start()
    ((plan,),) = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    await change.rollback()
    return sum(map(_rows_of, _scans_in(msgspec.json.decode(plan)[0]["Plan"])))


def _scans_in(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Scan" in node["Node Type"]:
        yield node
    for child in node.get("Plans", ()):
        yield from _scans_in(child)


def _rows_of(scan: dict[str, Any]) -> int:
    each = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
    return int(each * scan["Actual Loops"])
