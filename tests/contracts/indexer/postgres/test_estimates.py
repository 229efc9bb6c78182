"""How many rows there are is known without reading them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.passages.message import message_of_import
from services.indexer.postgres.database import Database
from shared.contract.requests import ImportedMessage
from tests.unit.samples import AT, saved

ROWS = 1_000_000
_WITHOUT_INDEXES = """
DO $$ BEGIN
    EXECUTE (SELECT 'ALTER TABLE pandora.messages DROP CONSTRAINT ' || quote_ident(conname) FROM pg_constraint
        WHERE conrelid = 'pandora.messages'::regclass AND contype = 'p');
    DROP INDEX pandora.idx_messages_session, pandora.idx_messages_turn;
    ALTER TABLE pandora.messages SET UNLOGGED;
END $$
"""
"""What the estimate does not use only makes the rows slower to write."""
_FILL = """
INSERT INTO pandora.messages (point_id, user_id, session_id, message_id, ordinal, speaker, role, text, at,
    indexed)
SELECT '00000000-0000-0000-0000-000000000000', '', '', '', number, '', 'other', '', 'epoch', true
FROM generate_series(1, $1::integer) AS numbers (number)
"""


@pytest.fixture
async def tables(database: str) -> AsyncIterator[Database]:
    async with Database.connect(database, connections=2, timeout=60.0) as connected:
        yield connected


async def test_the_rows_of_a_small_store_are_counted(tables: Database) -> None:
    messages, turns = PostgresMessageTable(tables), PostgresTurnTable(tables)
    said = [
        ImportedMessage(session_id="s", message_id=f"m{n}", speaker="Mira", at=AT, text="Bees")
        for n in range(3)
    ]

    await messages.add([message_of_import("alice", one) for one in said])
    await turns.upsert([saved(7, "Where are the bees?", "In Lisbon.")])

    assert await messages.estimate() == await messages.count() == (3, 3)
    assert await turns.estimate() == await turns.count() == (1, 7)


async def test_what_readiness_and_estimates_ask_does_not_depend_on_the_rows(tables: Database) -> None:
    messages = PostgresMessageTable(tables)
    await tables.fetch(_WITHOUT_INDEXES)
    await tables.fetch(_FILL, ROWS)
    for statement in ("VACUUM ANALYZE pandora.messages", _FILL.replace("$1::integer", str(ROWS // 10))):
        await tables.fetch(statement)

    estimated, _ = await messages.estimate()
    assert estimated == pytest.approx(ROWS * 1.1, rel=0.05)
    counting = await _shortest(messages.count)
    for ask in (tables.check, messages.estimate):
        assert await _shortest(ask) < counting / 10


async def _shortest(ask: Callable[[], Awaitable[object]]) -> float:
    """Of several times, in seconds: other work on the machine only adds to one."""
    times = []
    for _ in range(7):
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
    return min(times)
