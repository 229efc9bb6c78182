"""How many rows a table has, without reading a large table."""

from typing import Final

from services.indexer.postgres.database import Database

_COUNTED_BYTES: Final = 4 * 1024 * 1024
"""A table up to this size is counted, which takes a few milliseconds."""


async def estimated_rows(database: Database, table: str) -> int:
    """Exact for a small table. For a large one: what VACUUM and ANALYZE noted, times its growth since."""
    ((rows,),) = await database.fetch(_statement(table))
    return int(rows)


def _statement(table: str) -> str:
    # PostgreSQL runs the count only where CASE chooses it. reltuples is -1 until the first VACUUM or ANALYZE.
    return f"""
SELECT CASE
    WHEN pg_relation_size(oid) <= {_COUNTED_BYTES} THEN (SELECT count(*) FROM {table})
    WHEN reltuples < 0 THEN pg_stat_get_live_tuples(oid)
    ELSE reltuples / greatest(relpages, 1) * pg_relation_size(oid) / current_setting('block_size')::integer
END::bigint
FROM pg_class WHERE oid = '{table}'::regclass
"""  # noqa: S608 - the name of a table is a constant
