"""The list of generations, and locks among indexers, in PostgreSQL."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from services.indexer.generations.locks import ProcessLocks
from services.indexer.generations.table import GenerationRow, Place, State
from services.indexer.postgres.database import Database
from shared.contract.requests import Kind

_LOCK_BUILDING = "SELECT pg_try_advisory_xact_lock(7263481906)"
_LOCK_ADDING = "SELECT pg_advisory_xact_lock(7263481907)"
_LOCK_NAMES = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(name, 7) AS key FROM unnest($1::text[]) AS given (name) ORDER BY key
) AS keys
"""
_ROWS = """
SELECT number, model, name, state, collections, kinds, place, done, total, started_at, retired_at
FROM pandora.generations ORDER BY number
"""
_ADD = """
INSERT INTO pandora.generations (number, state, model, name, kinds, collections)
VALUES ($1, $2, $3, $4, $5, $6)
"""
# One statement: at no moment is there none, or are there two.
_SWITCH = """
UPDATE pandora.generations SET
    state = CASE state WHEN 'building' THEN 'live' ELSE 'retired' END,
    retired_at = CASE state WHEN 'live' THEN now() END
WHERE state IN ('building', 'live')
    AND EXISTS (SELECT FROM pandora.generations WHERE number = $1 AND state = 'building')
RETURNING number
"""


class PostgresLocks:
    """Locks among all indexers over one PostgreSQL.

    `database` is a pool of its own. A holder keeps one connection of it, and meanwhile needs others. Over one
    pool, holders could wait for connections that they keep from each other.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._here = ProcessLocks()

    @asynccontextmanager
    async def hold(self, names: Iterable[str]) -> AsyncIterator[None]:
        wanted = sorted(set(names))
        async with self._here.hold(wanted), self._database.transaction() as connection:
            await connection.execute(_LOCK_NAMES, wanted)
            yield


class PostgresGenerations:
    """GenerationTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(self) -> list[GenerationRow]:
        return [_row(record) for record in await self._database.fetch(_ROWS)]

    async def add(
        self, state: State, model: str, name: str, kinds: Sequence[Kind], kept: dict[Kind, str]
    ) -> bool:
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK_ADDING)
            if await connection.fetch("SELECT FROM pandora.generations WHERE state = $1", state):
                return False
            number = await connection.fetchval(
                "SELECT nextval(pg_get_serial_sequence('pandora.generations', 'number'))"
            )
            collections = {**kept, **dict.fromkeys(kinds, f"{name}-{number}")}
            await connection.execute(
                _ADD, number, state, model, name, list(kinds), msgspec.json.encode(collections).decode()
            )
            return True

    async def note(self, number: int, place: tuple[Kind, Place] | None, done: int, total: int) -> None:
        await self._database.fetch(
            "UPDATE pandora.generations SET place = $2, done = $3, total = $4 WHERE number = $1",
            number,
            None if place is None else msgspec.json.encode(place).decode(),
            done,
            total,
        )

    async def switch(self, number: int) -> bool:
        return bool(await self._database.fetch(_SWITCH, number))

    async def retire(self, number: int) -> None:
        await self._database.fetch(
            "UPDATE pandora.generations SET state = 'retired', retired_at = now() WHERE number = $1", number
        )

    async def remove(self, number: int) -> None:
        await self._database.fetch(
            "DELETE FROM pandora.generations WHERE number = $1 AND state = 'retired'", number
        )

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        async with self._database.transaction() as connection:
            yield bool(await connection.fetchval(_LOCK_BUILDING))


def _row(record: Any) -> GenerationRow:
    fields = dict(record)
    for name in ("collections", "place"):
        fields[name] = None if fields[name] is None else msgspec.json.decode(fields[name])
    return msgspec.convert(fields, GenerationRow)
