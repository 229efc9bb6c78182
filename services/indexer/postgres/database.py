"""A pool of connections to PostgreSQL. Its errors become Transient or Poison."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from shared.contract.errors import Poison, Transient

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # The connection broke in the middle of a query, and asyncpg lost its place.
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # It starts, stops, or ended the query on request.
    asyncpg.InsufficientResourcesError,  # It has no connection or no room left.
    asyncpg.ReadOnlySQLTransactionError,  # Another server is the primary now.
    asyncpg.TransactionRollbackError,  # Two writers were in each other's way.
)


class Database:
    """Every call raises Transient while PostgreSQL is away, and Poison for rows that it can never store."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def connect(cls, dsn: str, *, connections: int, timeout: float) -> AsyncIterator["Database"]:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections,
            command_timeout=timeout,
            timeout=timeout,
            reset=_nothing_to_reset,
        )
        try:
            yield cls(pool)
        finally:
            await pool.close()

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        with _translated_errors():
            records: list[Any] = await self._pool.fetch(query, *arguments)
        return records

    async def write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """The statement for each row, all or none: one round trip, which is a transaction by itself."""
        with _translated_errors():
            await self._pool.executemany(statement, rows)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        with _translated_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection

    async def check(self) -> None:
        await self.fetch("SELECT 1")


async def _nothing_to_reset(connection: asyncpg.Connection) -> None:
    """Every statement leaves its connection as it was; the pool's own reset is one more round trip each."""


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise Poison(f"PostgreSQL refuses the row: {error}") from error
    except UNREACHABLE as error:
        raise Transient(f"PostgreSQL is not reachable: {error}", retry_in=2.0) from error
