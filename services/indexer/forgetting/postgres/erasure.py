"""Erases what was deleted from PostgreSQL also from its files.

DELETE only hides a row, and plain VACUUM forgets where it was: measured, a tenth of the texts stays in the
holes of the pages. Copies are in the indexes, in TOAST, in what ANALYZE keeps about a column (pg_statistic),
and in the write-ahead log. So tables are written anew.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import asyncpg

from services.indexer.forgetting.debts import Owed
from services.indexer.forgetting.postgres.table_copy import TableCopy
from services.indexer.postgres.database import UNREACHABLE
from shared.contract.errors import Transient

log = logging.getLogger(__name__)
_LOCK: Final = 7_263_481_906
"""Of an advisory lock, as in `migrations`."""
_LOCK_WAIT: Final = "2s"
_PAUSE_SECONDS: Final = 0.2
_LOG_ROUNDS: Final = 64
"""Most new files of the write-ahead log. PostgreSQL prepares 5 in advance (min_wal_size)."""
_TABLES: Final[Mapping[Owed, Sequence[str]]] = {
    "turns": ("turns",),
    "messages": ("messages", "speakers"),
    "memories": ("memory_statements", "memories"),
    "research": ("research",),
}
_SEES_OLDER = """
SELECT count(*) FROM (
    SELECT backend_xmin AS oldest FROM pg_stat_activity WHERE pid <> pg_backend_pid()
    UNION ALL SELECT transaction FROM pg_prepared_xacts
    UNION ALL SELECT xmin FROM pg_replication_slots
) AS horizons WHERE age(oldest) >= age($1::text::xid)
"""
_MAY_ERASE = """
SELECT rolsuper AND current_setting('wal_recycle') = 'off' FROM pg_roles WHERE rolname = current_user
"""
_NEEDS: Final = "that needs a superuser, and the setting wal_recycle=off"
_LOG_FILES = "SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"


class PostgresErasure:
    """Erases the bytes of deleted rows from the server's data folder.

    It writes tables and their indexes anew, one after the other: only those that something was removed from.
    They are used meanwhile, and locked for some milliseconds each (`table_copy`). `pg_statistic` is locked as
    long as it is written anew, some milliseconds too. It waits 2 s for that lock at most.

    Then the write-ahead log goes on in new files and the old ones are removed. That needs a superuser and
    wal_recycle=off: otherwise PostgreSQL renames old files.
    """

    def __init__(self, dsn: str, *, timeout: float) -> None:
        """`timeout`: seconds for the whole of one erasure."""
        self._dsn = dsn
        self._timeout = timeout

    async def erase(self, stores: Collection[Owed]) -> bool:
        """False where the server is not ours alone: its log or its statistics may have deleted texts.

        Raises Transient where a table is in use, another process erases, or a transaction still sees deleted
        statistics, for too long. To erase again does no harm. Without `stores` it only says whether it could.
        """
        tables = [table for store in _TABLES if store in stores for table in _TABLES[store]]
        try:
            async with asyncio.timeout(self._timeout):
                connection = await asyncpg.connect(self._dsn)
                try:
                    return await _erase(connection, tables)
                finally:
                    connection.terminate()
        except asyncpg.LockNotAvailableError as error:
            raise Transient(f"a table is in use: {error}", retry_in=2.0) from error
        except UNREACHABLE as error:
            raise Transient(f"PostgreSQL does not erase now: {error or 'no answer'}", retry_in=2.0) from error


async def _erase(connection: asyncpg.Connection, tables: Sequence[str]) -> bool:
    # One process at a time. The lock goes with the connection. A query that waits for it would hold a
    # snapshot, and the holder of the lock waits for those: so it is asked for again and again.
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE_SECONDS)
    for table in tables:
        await TableCopy(connection, table).take_its_place()
    if not await connection.fetchval(_MAY_ERASE):
        log.info("deleted texts may stay in the statistics and the log of this PostgreSQL: %s", _NEEDS)
        return False
    if not tables:
        return True
    # What was known of the former tables is deleted, and stays in its file too.
    await _until_unseen(connection)
    await connection.execute(f"SET lock_timeout = '{_LOCK_WAIT}'")
    await connection.execute("VACUUM (FULL) pg_catalog.pg_statistic")
    return await _renew_log(connection)


async def _until_unseen(connection: asyncpg.Connection) -> None:
    """VACUUM FULL copies deleted rows, too, that a running transaction may still read."""
    now = await connection.fetchval("SELECT pg_current_xact_id()::xid::text")
    # PostgreSQL sends no notice of that.
    while await connection.fetchval(_SEES_OLDER, now):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE_SECONDS)


async def _renew_log(connection: asyncpg.Connection) -> bool:
    """Goes on in new files until none of those that are there now is left."""
    old = {record[0] for record in await connection.fetch(_LOG_FILES)}
    for _ in range(_LOG_ROUNDS):
        await connection.execute("SELECT pg_switch_wal()")
        await connection.execute("CHECKPOINT")
        if not old & {record[0] for record in await connection.fetch(_LOG_FILES)}:
            return True
    log.info("deleted texts may stay in the log of this PostgreSQL: an archive or a replica needs it")
    return False
