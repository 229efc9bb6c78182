"""Deleted texts leave every file of a real PostgreSQL."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from deploy.local.parts import NotReady
from deploy.local.postgres import EmbeddedPostgres, postgres_part
from services.indexer.adapters.erasing import PostgresErasure
from services.indexer.adapters.migrations import migrate
from shared.errors import Transient
from shared.settings import PostgresSettings
from tests.stack import free_ports

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


class Server:
    """An embedded PostgreSQL of one's own, and every byte that it has written."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        self.dsn = dsn

    def files_with(self, text: str) -> list[str]:
        found = []
        for path in self.folder.rglob("*"):
            try:
                content = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:  # The server removes files as it likes.
                continue
            if text.encode() in content:
                found.append(str(path.relative_to(self.folder)))
        return found


@asynccontextmanager
async def server(*options: str) -> AsyncIterator[Server]:
    (port,) = free_ports(1)
    with TemporaryDirectory() as name:  # Not below pytest's folder, which is closed to the server's user.
        settings = PostgresSettings.model_construct(pandora_data_dir=Path(name), postgres_port=port)
        embedded, part = EmbeddedPostgres(settings), postgres_part(settings)
        await embedded.prepare()
        process = await asyncio.create_subprocess_exec(
            *part.command,
            *options,
            user=part.user,
            group=part.user,
            cwd="/",
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await _until_ready(embedded)
            dsn = f"postgresql://{settings.postgres_user}:{settings.postgres_password.get_secret_value()}"
            started = Server(Path(name), f"{dsn}@127.0.0.1:{port}/{settings.postgres_db}")
            await migrate(started.dsn)
            yield started
        finally:
            process.send_signal(signal.SIGINT)
            await process.wait()


async def _until_ready(embedded: EmbeddedPostgres) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await embedded.probe()
            except NotReady:
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def postgres() -> AsyncIterator[Server]:
    async with server("-c", "wal_recycle=off") as started:
        yield started


@pytest.fixture
async def connection(postgres: Server) -> AsyncIterator[asyncpg.Connection]:
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


async def test_deleted_texts_leave_every_file(postgres: Server, connection: asyncpg.Connection) -> None:
    long = (await connection.fetchval("SELECT output FROM pandora.turns WHERE turn_id = 't2'"))[5000:5050]
    assert any("pg_wal" in file for file in postgres.files_with(MARK))
    assert any("base" in file for file in postgres.files_with(long))
    await connection.execute("DELETE FROM pandora.turns WHERE user_id = 'alice'")

    assert await PostgresErasure(postgres.dsn, timeout=30).erase()

    assert postgres.files_with(MARK) == []
    assert postgres.files_with(long) == []
    assert await connection.fetchval("SELECT count(*) FROM pandora.turns") == 4900


async def test_rows_that_somebody_still_sees_are_not_called_erased(
    postgres: Server, connection: asyncpg.Connection
) -> None:
    reader = await asyncpg.connect(postgres.dsn)
    seeing = reader.transaction(isolation="repeatable_read")
    await seeing.start()
    await reader.fetch("SELECT 1 FROM pg_class LIMIT 1")
    await connection.execute("DELETE FROM pandora.turns WHERE user_id = 'alice'")

    with pytest.raises(Transient):
        await PostgresErasure(postgres.dsn, timeout=1).erase()

    await seeing.rollback()
    await reader.close()
    assert await PostgresErasure(postgres.dsn, timeout=30).erase()
    assert postgres.files_with(MARK) == []


async def test_a_table_in_use_is_waited_for_briefly(postgres: Server, connection: asyncpg.Connection) -> None:
    writer = await asyncpg.connect(postgres.dsn)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("LOCK TABLE pandora.turns IN ROW EXCLUSIVE MODE")

    with pytest.raises(Transient, match="in use"):
        await PostgresErasure(postgres.dsn, timeout=30).erase()

    await writing.rollback()
    await writer.close()


async def test_a_server_that_keeps_its_old_log_is_not_called_erased() -> None:
    async with server("-c", "wal_recycle=on") as started:
        assert not await PostgresErasure(started.dsn, timeout=30).erase()
