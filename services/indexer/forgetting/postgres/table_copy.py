"""Writes a table anew while it is used: a copy without its deleted rows takes its place.

VACUUM FULL does the same, and locks the table as long as it writes. Here a trigger notes the keys of rows
that change meanwhile, and the copy follows them. Readers wait only while the names change.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from shared.contract.errors import Transient

_LOCK_WAIT: Final = "50ms"
"""While it waits, others that want the table wait behind it."""
_PAUSE_SECONDS: Final = 0.1
_BEGIN_SECONDS: Final = 3.0
_SWAP_SECONDS: Final = 300.0
"""An autovacuum of a large table takes so long. What was copied until then would be lost."""
_PAGES_AT_ONCE: Final = 500
_FEW_CHANGES: Final = 20
_ROUNDS: Final = 10
"""Of following. Where rows change without a pause, some are left for the moment of the lock."""
_KEY = """
SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
WHERE indrelid = $1::text::regclass AND indisprimary ORDER BY array_position(indkey::smallint[], attnum)
"""
_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
    AND attgenerated = '' ORDER BY attnum
"""
_INDEXES = """
SELECT relname AS name, pg_get_indexdef(indexrelid) AS definition, CASE contype WHEN 'p' THEN 'PRIMARY KEY'
    WHEN 'u' THEN 'UNIQUE' ELSE '' END AS kind
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid LEFT JOIN pg_constraint ON conindid = indexrelid
WHERE indrelid = $1::text::regclass ORDER BY indisprimary DESC, relname
"""
_COUNTERS = """
SELECT pg_get_serial_sequence($1::text, attname) AS old, pg_get_serial_sequence($2::text, attname) AS new
FROM pg_attribute WHERE attrelid = $1::text::regclass AND attidentity <> ''
"""
_MIGRATIONS = "SELECT count(*) FROM public.pandora_migrations"
_PAGES = "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint"

# With the names of the table in braces.
_CREATE = """
CREATE TABLE {copy} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES);
CREATE TABLE {changes} AS SELECT {key} FROM {table} WITH NO DATA;
CREATE FUNCTION {noting}() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF TG_OP <> 'INSERT' THEN INSERT INTO {changes} ({key}) VALUES ({key_of_old}); END IF;
    IF TG_OP <> 'DELETE' THEN INSERT INTO {changes} ({key}) VALUES ({key_of_new}); END IF;
    RETURN NULL;
END
$body$;
"""
_BEGIN = """
CREATE TRIGGER {name}__noting AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {noting}();
"""
_COPY_PAGES = """
INSERT INTO {copy} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {table}
WHERE ctid >= '({first},0)' AND ctid < '({end},0)' ON CONFLICT DO NOTHING
"""
# All of it has to see the same moment: what is noted then has happened then.
_FOLLOW = """
DELETE FROM {copy} AS one USING (SELECT DISTINCT {key} FROM {changes}) AS changed WHERE {is_same};
INSERT INTO {copy} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {columns_of_one} FROM {table} AS one
    JOIN (SELECT DISTINCT {key} FROM {changes}) AS changed ON {is_same};
DELETE FROM {changes};
"""
_SWAP = """
DROP TABLE {table}, {changes};
DROP FUNCTION {noting};
ALTER TABLE {copy} RENAME TO {name}
"""


async def _nothing() -> None:
    pass


class TableCopy:
    """A copy of `pandora.<table>`, which has to have a primary key and no foreign ones."""

    def __init__(self, connection: asyncpg.Connection, table: str) -> None:
        self._connection = connection
        self._table, self._copy = f"pandora.{table}", f"pandora.{table}__copy"
        self._noting = f"pandora.{table}__noting"
        self._names = {
            **{"name": table, "table": self._table, "copy": self._copy},
            **{"noting": self._noting, "changes": f"pandora.{table}__changes"},
        }
        self._indexes: list[asyncpg.Record] = []
        self._migrations = 0

    async def take_its_place(self) -> None:
        """Raises Transient where a migration comes meanwhile, and LockNotAvailableError where the table is in
        use all the time. What was begun then is removed by the next call."""
        await self._look()
        await self._remove_leftovers()
        await self._execute(_CREATE)
        await self._locked("SHARE ROW EXCLUSIVE", _BEGIN_SECONDS, self._begin)
        await self._fill()
        await self._connection.execute(f"VACUUM (ANALYZE) {self._copy}")
        await self._locked("ACCESS EXCLUSIVE", _SWAP_SECONDS, self._swap, before=self._catch_up)

    async def _look(self) -> None:
        self._migrations = await self._connection.fetchval(_MIGRATIONS)
        self._indexes = await self._connection.fetch(_INDEXES, self._table)
        key, columns = [
            [record["attname"] for record in await self._connection.fetch(query, self._table)]
            for query in (_KEY, _COLUMNS)
        ]
        self._names |= {
            "key": ", ".join(key),
            "key_of_old": ", ".join(f"OLD.{one}" for one in key),
            "key_of_new": ", ".join(f"NEW.{one}" for one in key),
            "is_same": " AND ".join(f"one.{column} = changed.{column}" for column in key),
            "columns": ", ".join(columns),
            "columns_of_one": ", ".join(f"one.{column}" for column in columns),
        }

    async def _execute(self, statements: str, **numbers: int) -> str:
        done: str = await self._connection.execute(statements.format(**self._names, **numbers))
        return done

    async def _remove_leftovers(self) -> None:
        if await self._connection.fetchval("SELECT to_regproc($1::text)", self._noting) is not None:
            await self._locked("ACCESS EXCLUSIVE", _BEGIN_SECONDS, self._drop_trigger)
        await self._execute("DROP TABLE IF EXISTS {copy}, {changes}")

    async def _drop_trigger(self) -> None:
        await self._execute("DROP FUNCTION {noting} CASCADE")

    async def _begin(self) -> None:
        """From its end on every change is noted. Writers wait meanwhile, readers do not."""
        await self._execute(_BEGIN)

    async def _fill(self) -> None:
        """By pages: rows keep their order, so those of a session stay beside each other.

        A row that is changed meanwhile may be met twice. The first is kept, until the copy follows.
        """
        primary, *others = self._indexes
        await self._create(primary)
        pages = await self._connection.fetchval(_PAGES, self._table)
        for first in range(0, pages, _PAGES_AT_ONCE):
            await self._execute(_COPY_PAGES, first=first, end=first + _PAGES_AT_ONCE)
        # Now it is what the table was at one moment, so other indexes find no row twice.
        await self._follow_once()
        for index in others:
            await self._create(index)

    async def _create(self, index: asyncpg.Record) -> None:
        before, name = f" INDEX {index['name']} ON {self._table} ", f"{index['name']}__copy"
        if before not in index["definition"]:
            raise RuntimeError(f"{self._table} has an index that is not understood: {index['definition']}")
        after = f" INDEX {name} ON {self._copy} "
        await self._connection.execute(index["definition"].replace(before, after))
        if index["kind"]:
            constraint = f"ADD CONSTRAINT {name} {index['kind']} USING INDEX {name}"
            await self._connection.execute(f"ALTER TABLE {self._copy} {constraint}")

    async def _catch_up(self) -> None:
        for _ in range(_ROUNDS):
            if await self._follow_once() <= _FEW_CHANGES:
                return

    async def _follow_once(self) -> int:
        """Returns how many changes were followed."""
        async with self._connection.transaction(isolation="repeatable_read"):
            return int((await self._execute(_FOLLOW)).split()[-1])

    async def _swap(self) -> None:
        if await self._connection.fetchval(_MIGRATIONS) != self._migrations:
            raise Transient(f"{self._table} was changed by a migration while it was written anew")
        counters = await self._connection.fetch(_COUNTERS, self._table, self._copy)
        # In one request, since the table is locked. The names come from PostgreSQL's own catalogue.
        statements = [
            *(f"SELECT setval('{new}', last_value, is_called) FROM {old}" for old, new in counters),  # noqa: S608
            _SWAP,
            *(f"ALTER SEQUENCE {new} RENAME TO {old.rpartition('.')[2]}" for old, new in counters),
            *(f"ALTER INDEX pandora.{one['name']}__copy RENAME TO {one['name']}" for one in self._indexes),
        ]
        await self._execute(_FOLLOW + ";".join(statements))

    async def _locked(
        self,
        mode: str,
        seconds: float,
        work: Callable[[], Awaitable[None]],
        before: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Does the work in a transaction that has the lock. It asks for the lock again and again, each time
        briefly and after `before`."""
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        while True:
            await before()
            try:
                async with self._connection.transaction(isolation="repeatable_read"):
                    await self._connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
                    # Before its first query, so that the transaction sees what happened until the lock.
                    await self._connection.execute(f"LOCK TABLE {self._table} IN {mode} MODE")
                    return await work()
            except asyncpg.LockNotAvailableError:
                if clock() > ends:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)
