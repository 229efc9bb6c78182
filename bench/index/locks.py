"""How long the erasing pass keeps a reader of the messages waiting, at 50,000 and at 500,000 rows.

One reader asks for one row, again and again, while the tables of messages are written anew.
"""

import asyncio
from time import perf_counter

import asyncpg

from bench.running.figures import Figure, plain
from bench.running.run import Run
from services.indexer.forgetting.postgres.erasure import PostgresErasure
from services.indexer.postgres.migrations import migrate

SIZES = {"50k": 50_000, "500k": 500_000}
_QUICK = {"5k": 5_000, "50k": 50_000}
_ERASE_SECONDS = 300.0
_PAUSE_SECONDS = 0.001
# Texts of some 300 characters, as a message has.
_FILL = """
INSERT INTO pandora.messages (point_id, user_id, session_id, message_id, ordinal, speaker, role, text, at,
    indexed)
SELECT gen_random_uuid(), 'user-' || number / 1000, 'session-' || number / 20, number, number, 'user', 'user',
    (SELECT string_agg(md5((number * 10 + piece)::text), ' ') FROM generate_series(1, 9) AS piece), now(),
    true
FROM generate_series($1::integer, $2::integer) AS number
"""
_READ = "SELECT text FROM pandora.messages WHERE user_id = 'user-1' LIMIT 1"


async def measure(run: Run) -> list[Figure]:
    installation = run.installation()
    dsn = installation.settings.indexer.dsn
    figures: list[Figure] = []
    async with installation.running("postgres"):
        await migrate(dsn)
        filled = 0
        for name, rows in (_QUICK if run.quick else SIZES).items():
            await _fill(dsn, filled, rows)
            filled = rows
            begun = perf_counter()
            waits = await _waits_of_a_reader(dsn)
            took = perf_counter() - begun
            figures.append(
                plain(f"erasing.longest_wait_{name}", 1000 * max(waits), "ms", ours=f"a pass of {took:.1f} s")
            )
    return figures


async def _fill(dsn: str, begin: int, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_FILL, begin, rows - 1)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("DELETE FROM pandora.messages WHERE user_id = 'user-0' AND ordinal < 2")
    finally:
        await connection.close()


async def _waits_of_a_reader(dsn: str) -> list[float]:
    """Seconds of each reading while the bytes of deleted messages are erased."""
    erasing = asyncio.create_task(PostgresErasure(dsn, timeout=_ERASE_SECONDS).erase({"messages"}))
    connection = await asyncpg.connect(dsn)
    waits: list[float] = []
    try:
        while not erasing.done():
            start = perf_counter()
            await connection.fetch(_READ)
            waits.append(perf_counter() - start)
            await asyncio.sleep(_PAUSE_SECONDS)
        await erasing
    finally:
        await connection.close()
    return waits
