"""How long the erasing pass keeps a reader and a writer of the messages waiting, at 50,000 and 500,000 rows.

One reads a row and another changes one, again and again, while the tables of messages are written anew.
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
_GOAL_MS = 100.0
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
_WRITE = "UPDATE pandora.messages SET uses = uses + 1 WHERE user_id = 'user-1' AND session_id = 'session-51'"


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
            waits = await _longest_waits(dsn, _READ, _WRITE)
            took = f"a pass of {perf_counter() - begun:.1f} s"
            figures += [
                plain(f"erasing.longest_wait_{who}_{name}", 1000 * wait, "ms", goal=_GOAL_MS, ours=took)
                for who, wait in zip(("read", "write"), waits, strict=True)
            ]
    return figures


async def _fill(dsn: str, begin: int, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_FILL, begin, rows - 1)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("DELETE FROM pandora.messages WHERE user_id = 'user-0' AND ordinal < 2")
    finally:
        await connection.close()


async def _longest_waits(dsn: str, *statements: str) -> list[float]:
    """Seconds that each of these took at most while the bytes of deleted messages are erased."""
    erasing = asyncio.create_task(PostgresErasure(dsn, timeout=_ERASE_SECONDS).erase({"messages"}))
    waits = await asyncio.gather(*(_longest_wait(dsn, statement, erasing) for statement in statements))
    await erasing
    return waits


async def _longest_wait(dsn: str, statement: str, erasing: asyncio.Task[bool]) -> float:
    connection = await asyncpg.connect(dsn)
    longest = 0.0
    try:
        while not erasing.done():
            start = perf_counter()
            await connection.execute(statement)
            longest = max(longest, perf_counter() - start)
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        await connection.close()
    return longest
