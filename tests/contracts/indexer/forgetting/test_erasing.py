"""Deleted texts leave every file of a real PostgreSQL."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.indexer.forgetting.postgres.erasure import PostgresErasure
from services.indexer.postgres.migrations import migrate
from shared.contract.errors import Transient
from tests.servers.postgres import PostgresServer, postgres_server

MARK = "zyxmarkquux"
_INSERT = f"""
INSERT INTO pandora.turns (turn_number, turn_id, user_id, session_id, topic, intent, keywords, quality,
    turn_dir, recipe, model, input, output, quoted)
SELECT n, 't' || n, user_id, 's', topic, 'statement', jsonb_build_array(topic), 0.5, '', '', '',
    topic || repeat(' rain', 50), CASE WHEN n = 2 THEN topic || $1 ELSE 'Noted.' END, false
FROM (SELECT n, CASE WHEN n % 50 = 2 THEN 'alice' ELSE 'bob' END AS user_id,
    CASE WHEN n % 50 = 2 THEN '{MARK} garden' ELSE 'weather' END AS topic
    FROM generate_series(1, 5000) AS n) AS made
"""


@pytest.fixture(scope="module")
async def postgres() -> AsyncIterator[PostgresServer]:
    """With the settings of `pandora up`: this is about what lies on the disk."""
    async with postgres_server() as started:
        await migrate(started.dsn)
        yield started


@pytest.fixture
async def connection(postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    """To a table of 5,000 rows, of which 100 are alice's; one of hers is long."""
    opened = await asyncpg.connect(postgres.dsn)
    await opened.execute("TRUNCATE pandora.turns")
    await opened.execute(_INSERT, os.urandom(20_000).hex())
    await opened.execute("ANALYZE pandora.turns")
    await opened.execute("CHECKPOINT")
    try:
        yield opened
    finally:
        await opened.close()


async def test_deleted_texts_leave_every_file(
    postgres: PostgresServer, connection: asyncpg.Connection
) -> None:
    long = (await connection.fetchval("SELECT output FROM pandora.turns WHERE turn_id = 't2'"))[5000:5050]
    assert any("pg_wal" in file for file in postgres.files_with(MARK))
    assert any("base" in file for file in postgres.files_with(long))
    await connection.execute("DELETE FROM pandora.turns WHERE user_id = 'alice'")

    assert await PostgresErasure(postgres.dsn, timeout=30).erase({"turns"})

    assert postgres.files_with(MARK) == []
    assert postgres.files_with(long) == []
    assert await connection.fetchval("SELECT count(*) FROM pandora.turns") == 4900


async def test_only_tables_that_something_was_removed_from_are_written_anew(
    postgres: PostgresServer, connection: asyncpg.Connection
) -> None:
    async def files() -> dict[str, int]:
        rows = await connection.fetch(
            "SELECT relname, relfilenode FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace"
            " WHERE nspname = 'pandora' AND relkind = 'r'"
        )
        return {row["relname"]: row["relfilenode"] for row in rows}

    before = await files()
    assert await PostgresErasure(postgres.dsn, timeout=30).erase(set())
    assert await files() == before
    assert await PostgresErasure(postgres.dsn, timeout=30).erase({"memories", "turn points"})
    after = await files()

    assert {name for name in after if after[name] != before[name]} == {"memories", "memory_statements"}


async def test_rows_that_somebody_still_sees_are_not_called_erased(
    postgres: PostgresServer, connection: asyncpg.Connection
) -> None:
    reader = await asyncpg.connect(postgres.dsn)
    seeing = reader.transaction(isolation="repeatable_read")
    await seeing.start()
    await reader.fetch("SELECT 1 FROM pg_class LIMIT 1")
    await connection.execute("DELETE FROM pandora.turns WHERE user_id = 'alice'")

    with pytest.raises(Transient):
        await PostgresErasure(postgres.dsn, timeout=1).erase({"turns"})

    await seeing.rollback()
    await reader.close()
    assert await PostgresErasure(postgres.dsn, timeout=30).erase({"turns"})
    assert postgres.files_with(MARK) == []


async def test_a_table_in_use_is_waited_for_briefly(
    postgres: PostgresServer, connection: asyncpg.Connection
) -> None:
    writer = await asyncpg.connect(postgres.dsn)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("LOCK TABLE pandora.turns IN ROW EXCLUSIVE MODE")

    with pytest.raises(Transient, match="in use"):
        await PostgresErasure(postgres.dsn, timeout=30).erase({"turns"})

    await writing.rollback()
    await writer.close()


async def test_a_server_that_keeps_its_old_log_is_not_called_erased() -> None:
    async with postgres_server("-c", "wal_recycle=on") as started:
        await migrate(started.dsn)
        assert not await PostgresErasure(started.dsn, timeout=30).erase({"turns"})
