"""What was deleted from PostgreSQL leaves its files as well.

DELETE only hides a row, and plain VACUUM forgets where it was: measured, a tenth of the texts stays in the
holes of the pages. Copies are in the indexes, in TOAST, in what ANALYZE keeps about a column (pg_statistic),
and in the write-ahead log.
"""

import asyncio
import logging
from typing import Final

import asyncpg

from services.indexer.adapters.postgres import _UNREACHABLE
from shared.errors import Transient

log = logging.getLogger(__name__)
_LOCK_WAIT: Final = "2s"
_PAUSE_SECONDS: Final = 0.2
_LOG_ROUNDS: Final = 64
"""Files of the write-ahead log that are walked through at most; PostgreSQL keeps 5 ahead (min_wal_size)."""
_TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'pandora'"
_SEES_OLDER = """
SELECT count(*) FROM (
    SELECT backend_xmin AS oldest FROM pg_stat_activity WHERE pid <> pg_backend_pid()
    UNION ALL SELECT transaction FROM pg_prepared_xacts
    UNION ALL SELECT xmin FROM pg_replication_slots
) AS horizons WHERE age(oldest) >= age($1::text::xid)
"""
_LOG_FILES = "SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"


class PostgresErasure:
    """Makes the bytes of deleted rows go from the server's data folder.

    It writes the tables of the schema `pandora` and their indexes anew, one after the other, and each is
    locked against readers and writers while it is written (ACCESS EXCLUSIVE): 0.4 to 0.6 s for 50,000 rows
    of 300 bytes, more in proportion. It waits 2 s for a lock at most, so that nobody queues up behind it for
    long. `pg_statistic` is locked in the same way, for some milliseconds. Then the write-ahead log goes on in
    new files and the old ones are removed, which needs the server's setting wal_recycle=off: without it
    PostgreSQL keeps old files under new names.
    """

    def __init__(self, dsn: str, *, timeout: float) -> None:
        """`timeout`: seconds for the whole of one erasure."""
        self._dsn = dsn
        self._timeout = timeout

    async def erase(self) -> bool:
        """False where the server is not ours alone: its log, or its statistics, may keep what was deleted.

        Raises Transient where somebody uses a table, or still sees the deleted rows, for too long. To erase
        again does no harm.
        """
        try:
            async with asyncio.timeout(self._timeout):
                connection = await asyncpg.connect(self._dsn)
                try:
                    return await _erase(connection)
                finally:
                    connection.terminate()
        except asyncpg.LockNotAvailableError as error:
            raise Transient(f"a table is in use: {error}", retry_in=2.0) from error
        except _UNREACHABLE as error:
            raise Transient(f"PostgreSQL does not erase now: {error or 'no answer'}", retry_in=2.0) from error


async def _erase(connection: asyncpg.Connection) -> bool:
    await connection.execute(f"SET lock_timeout = '{_LOCK_WAIT}'")
    await _until_nobody_sees_it(connection)
    for record in await connection.fetch(_TABLES):
        await connection.execute(f"VACUUM (FULL, ANALYZE) {record[0]}")
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        log.info(
            "deleted texts may stay in the statistics and the log of this PostgreSQL: we are not superuser"
        )
        return False
    # What ANALYZE knew of the deleted rows is deleted there just now, and stays as a deleted row does.
    await _until_nobody_sees_it(connection)
    await connection.execute("VACUUM (FULL) pg_catalog.pg_statistic")
    return await _renew_log(connection)


async def _until_nobody_sees_it(connection: asyncpg.Connection) -> None:
    """A row that a running transaction may still read would be copied with the others."""
    now = await connection.fetchval("SELECT pg_current_xact_id()::xid::text")
    # PostgreSQL tells nobody: one has to look.
    while await connection.fetchval(_SEES_OLDER, now):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE_SECONDS)


async def _renew_log(connection: asyncpg.Connection) -> bool:
    """Goes on in new files until none of those that are there now is left."""
    if await connection.fetchval("SHOW wal_recycle") == "on":
        log.info("deleted texts may stay in the log of this PostgreSQL: its setting wal_recycle is on")
        return False
    old = {record[0] for record in await connection.fetch(_LOG_FILES)}
    for _ in range(_LOG_ROUNDS):
        await connection.execute("SELECT pg_switch_wal()")
        await connection.execute("CHECKPOINT")
        if not old & {record[0] for record in await connection.fetch(_LOG_FILES)}:
            return True
    log.info("deleted texts may stay in the log of this PostgreSQL: an archive or a replica needs it")
    return False
