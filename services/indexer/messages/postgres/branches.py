"""Marks the turns that their sessions have left, in PostgreSQL."""

from collections.abc import Iterable
from typing import Final

from services.indexer.postgres.database import Database
from shared.contract.events import TurnCancelled, TurnSaved

_BRANCHED: Final = """
SELECT DISTINCT user_id, session_id FROM unnest($1::text[], $2::text[]) AS touched (user_id, session_id)
WHERE EXISTS (
    SELECT FROM pandora.turns AS t
    WHERE t.user_id = touched.user_id AND t.session_id = touched.session_id AND t.follows IS NOT NULL
)
ORDER BY user_id, session_id
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))"
# From the newest turn back, from each to the one that it goes on from, or to the one before that, where that
# one is forgotten.
_MARK: Final = """
WITH RECURSIVE kept AS (
    (SELECT turn_number, follows FROM pandora.turns WHERE user_id = $1 AND session_id = $2
        ORDER BY turn_number DESC LIMIT 1)
    UNION ALL
    SELECT earlier.turn_number, earlier.follows FROM kept CROSS JOIN LATERAL (
        SELECT turn_number, follows FROM pandora.turns WHERE user_id = $1 AND session_id = $2
            AND turn_number <= least(kept.follows, kept.turn_number - 1)
        ORDER BY turn_number DESC LIMIT 1
    ) AS earlier
)
UPDATE pandora.turns SET abandoned = NOT abandoned
WHERE user_id = $1 AND session_id = $2 AND abandoned = (turn_number IN (SELECT turn_number FROM kept))
"""


async def mark_branches(database: Database, turns: Iterable[TurnSaved | TurnCancelled]) -> None:
    """`turns`: those that were just written. To mark their sessions again changes nothing.

    Two indexers that write turns of one session mark it one after the other: the later one sees all turns.
    """
    touched = {(turn.user, turn.session_id) for turn in turns}
    users, names = [user for user, _ in touched], [session_id for _, session_id in touched]
    for branched in await database.fetch(_BRANCHED, users, names):
        async with database.transaction() as connection:
            await connection.execute(_LOCK, *branched)
            await connection.execute(_MARK, *branched)
