"""PostgreSQL servers of the tests: the embedded one, as `pandora up` starts it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg

from deploy.local.parts import NotReady
from deploy.local.postgres import EmbeddedPostgres, postgres_part
from services.indexer.postgres.migrations import migrate
from shared.process.settings import PostgresSettings
from tests import files
from tests.servers.ports import free_ports

_WITHOUT_THE_DISK = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
"""Nothing waits until the disk has it. Not for tests of what lies on the disk."""


class PostgresServer:
    """A server, every byte that it has written, and the databases that tests make on it."""

    TEMPLATE = "migrated"

    def __init__(self, folder: Path, settings: PostgresSettings) -> None:
        self.folder = folder
        self._settings = settings

    @property
    def port(self) -> int:
        return self._settings.postgres_port

    @property
    def dsn(self) -> str:
        return self.dsn_of(self._settings.postgres_db)

    def dsn_of(self, database: str) -> str:
        user, password = self._settings.postgres_user, self._settings.postgres_password.get_secret_value()
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def files_with(self, text: str) -> list[str]:
        return [str(path.relative_to(self.folder)) for path in files.files_with(self.folder, text.encode())]

    async def make_template(self) -> None:
        """Makes the database with Pandora's tables, which `database` copies."""
        await self._execute(f"CREATE DATABASE {self.TEMPLATE}")
        await migrate(self.dsn_of(self.TEMPLATE))

    @asynccontextmanager
    async def database(self, template: str) -> AsyncIterator[str]:
        """The DSN of a new database, which goes at the end."""
        name = f"test_{uuid4().hex[:12]}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.dsn_of(name)
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def postgres_server(*options: str) -> AsyncIterator[PostgresServer]:
    """With an empty database, and the settings that Pandora gives it, but for `options`."""
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
            yield PostgresServer(Path(name), settings)
        finally:
            process.send_signal(signal.SIGINT)
            await process.wait()


@asynccontextmanager
async def fast_postgres() -> AsyncIterator[PostgresServer]:
    """One for many tests, each with a database of its own."""
    options = [word for name, value in _WITHOUT_THE_DISK.items() for word in ("-c", f"{name}={value}")]
    async with postgres_server(*options) as server:
        await server.make_template()
        yield server


async def _until_ready(embedded: EmbeddedPostgres) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await embedded.probe()
            except NotReady:
                await asyncio.sleep(0.05)
