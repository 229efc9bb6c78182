"""A PostgreSQL that goes away, and one that comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from shared.contract.errors import Transient
from tests.unit.samples import saved


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Database]:
    await migrate(database)
    async with Database.connect(database, connections=4, timeout=30) as pool:
        yield pool


@asynccontextmanager
async def line_to(dsn: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The DSN of a wire to the server, and an event that cuts the wire."""
    parts = urlsplit(dsn)
    cut = asyncio.Event()
    open_ends: set[asyncio.StreamWriter] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(parts.hostname, parts.port)
        open_ends.update((writer, there_writer))
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    async def cutter() -> None:
        await cut.wait()
        wire.close()
        for end in open_ends:
            end.transport.abort()

    wire = await asyncio.start_server(connect, "127.0.0.1", 0)
    cutting = asyncio.create_task(cutter())
    port = wire.sockets[0].getsockname()[1]
    try:
        yield dsn.replace(f":{parts.port}/", f":{port}/"), cut
    finally:
        cut.set()
        await cutting


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass
    finally:
        writer.close()


async def test_a_server_that_is_away_is_transient_to_every_question(database: str) -> None:
    await migrate(database)
    async with line_to(database) as (dsn, cut), Database.connect(dsn, connections=2, timeout=5) as connected:
        table = PostgresTurnTable(connected)
        await table.upsert([saved(1)])
        cut.set()
        await asyncio.sleep(0.05)

        for attempt in (
            table.upsert([saved(2)]),
            table.turns("alice", session_id=None, before=None, limit=1),
            table.neighbours("alice", ["t1"]),
            table.sessions("alice", limit=1),
            table.count(),
            connected.check(),
        ):
            with pytest.raises(Transient, match="PostgreSQL is not reachable"):
                await attempt


async def test_a_server_that_restarts_is_transient_and_then_there_again(
    connected: Database, database: str
) -> None:
    """A restart ends every connection with `terminating connection due to administrator command`."""
    table = PostgresTurnTable(connected)
    await table.upsert([saved(1)])
    sleeping = asyncio.create_task(connected.fetch("SELECT pg_sleep(30)"))
    administrator = await asyncpg.connect(database)
    async with asyncio.timeout(30):
        while not await administrator.fetchval(  # noqa: ASYNC110
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%pg_sleep(30)' AND pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.02)
    await administrator.close()

    with pytest.raises(Transient):
        await sleeping
    assert await table.count() == (1, 1)
