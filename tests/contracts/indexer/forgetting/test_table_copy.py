"""A table is written anew while it is used, and stays the same table."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from services.indexer.forgetting.debts import Owed
from services.indexer.forgetting.postgres.erasure import PostgresErasure
from services.indexer.postgres.migrations import migrate
from shared.contract.errors import Transient

_INSERT = """
INSERT INTO pandora.turns (turn_number, turn_id, user_id, session_id, topic, intent, keywords, quality,
    turn_dir, recipe, model, input, output, quoted)
SELECT n, 't' || n, 'alice', 's', '', '', '[]', 0.5, '', '', '', 'word' || n, '', false
FROM generate_series($1::bigint, $2::bigint) AS n
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'pandora'"
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'pandora'::regnamespace
"""
_COLUMNS = """
SELECT table_name, ordinal_position, column_name, data_type, column_default, is_nullable, is_identity
FROM information_schema.columns WHERE table_schema = 'pandora'
"""
_OTHERS = """
SELECT relname FROM pg_class WHERE relnamespace = 'pandora'::regnamespace AND relkind IN ('r', 'S')
UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'pandora'::regnamespace
"""
_PAGE = """
INSERT INTO pandora.research (primary_topic, quality_overall, confidence_current, expires_at, scope,
    content_types, user_id, research_id, point_id, url, domain, title, text, fetched_at, began_at)
VALUES ('', 1, 1, now(), 'user', '[]', 'alice', gen_random_uuid()::text, gen_random_uuid(), '', '', '', '',
    now(), now()) RETURNING id
"""
_CHANGE = "UPDATE pandora.turns SET input = 'new' WHERE turn_number = $1"
_IS_NOTING = "SELECT count(*) > 0 FROM pg_trigger WHERE tgname = 'turns__noting'"
_ALL: Collection[Owed] = {"turns", "messages", "memories", "research"}


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    await migrate(database)
    opened = await asyncpg.connect(database)
    try:
        yield opened
    finally:
        await opened.close()


async def shape(connection: asyncpg.Connection) -> list[list[tuple[Any, ...]]]:
    queries = (_INDEXES, _CONSTRAINTS, _COLUMNS, _OTHERS)
    return [sorted(map(tuple, await connection.fetch(query)), key=str) for query in queries]


async def test_the_table_keeps_its_form_and_its_counter(
    database: str, connection: asyncpg.Connection
) -> None:
    before = await shape(connection)
    first = await connection.fetchval(_PAGE)

    for _ in range(2):
        await PostgresErasure(database, timeout=60).erase(_ALL)

    assert await shape(connection) == before
    assert await connection.fetchval(_PAGE) == first + 1


@asynccontextmanager
async def reading(database: str) -> AsyncIterator[None]:
    """A transaction that has read: nothing takes the table's place before it ends."""
    reader = await asyncpg.connect(database)
    try:
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM pandora.turns")
            yield
    finally:
        await reader.close()


async def test_what_is_written_meanwhile_is_there_afterwards(
    database: str, connection: asyncpg.Connection
) -> None:
    await connection.execute(_INSERT, 1, 3_000)

    async with reading(database):
        erasing = asyncio.create_task(PostgresErasure(database, timeout=120).erase({"turns"}))
        async with asyncio.timeout(60):
            while not await connection.fetchval(_IS_NOTING):  # noqa: ASYNC110  # a trigger has no event
                await asyncio.sleep(0.01)
        for number in range(100):
            await connection.execute("DELETE FROM pandora.turns WHERE turn_number = $1", 3 * number + 1)
            await connection.execute(_CHANGE, 3 * number + 2)
            await connection.execute(_INSERT, 4_000 + number, 4_000 + number)
        # The same unique id under another number.
        await connection.execute("UPDATE pandora.turns SET turn_number = 9000 WHERE turn_id = 't3'")
        assert not erasing.done()
    await erasing

    rows = dict(await connection.fetch("SELECT turn_number, input FROM pandora.turns"))
    assert len(rows) == 3_000
    assert rows[9000] == "word3"
    assert not any(3 * number + 1 in rows for number in range(100))
    assert all(rows[3 * number + 2] == "new" for number in range(100))
    assert all(rows[4_000 + number] == f"word{4_000 + number}" for number in range(100))


async def test_what_breaks_off_is_removed_by_the_next(database: str, connection: asyncpg.Connection) -> None:
    before = await shape(connection)
    async with reading(database):
        with pytest.raises(Transient):
            await PostgresErasure(database, timeout=1).erase({"turns"})

    await PostgresErasure(database, timeout=60).erase({"turns"})

    assert await shape(connection) == before
