"""What was forgotten, in PostgreSQL: the list of it, and the removal of its rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.indexer.forgetting.debts import OWED_BY_MEMORIES, OWED_BY_PAGES, OWED_BY_TURNS, Debt
from services.indexer.forgetting.postgres.debts import OWE, debts_in
from services.indexer.forgetting.table import RemovedRows
from services.indexer.postgres.database import Database
from shared.contract.events import ForgetRequested
from shared.contract.requests import Receipt

_NOTE = """
INSERT INTO pandora.forgotten (forget_id, user_id, scope, target, requested_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (forget_id) DO NOTHING
"""
_UNERASED = """
SELECT receipt FROM pandora.forgotten WHERE receipt ->> 'state' = 'forgotten' AND forget_id > $1
ORDER BY forget_id LIMIT $2
"""
_COVERED = """
SELECT given.place FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
    AS given (user_id, session_id, turn_id, began_at, place)
WHERE EXISTS (
    SELECT FROM pandora.forgotten AS f WHERE f.user_id = given.user_id AND (
        (f.scope = 'turn' AND f.target = given.turn_id)
        OR (f.scope = 'session' AND f.target = given.session_id AND given.began_at <= f.requested_at)
        OR (f.scope = 'user' AND given.began_at <= f.requested_at)
    )
)
"""
# What was said in a turn that began after the request stays.
_IN_SCOPE = """
user_id = $1 AND ($2::text IS NULL OR session_id = $2) AND ($3::text IS NULL OR turn_id = $3)
AND (turn_id IS NULL OR NOT EXISTS (
    SELECT FROM pandora.messages AS began
    WHERE began.turn_id = gone.turn_id AND began.role = 'user' AND began.at > $4
))
"""
_REMOVE_TURNS = f"""
DELETE FROM pandora.turns AS gone WHERE {_IN_SCOPE} RETURNING turn_id
"""  # noqa: S608 - _IN_SCOPE is a constant
_REMOVE_MESSAGES = f"""
DELETE FROM pandora.messages AS gone WHERE {_IN_SCOPE} RETURNING point_id, session_id, ordinal, speaker
"""  # noqa: S608 - _IN_SCOPE is a constant
_REMOVE_ANSWERS = """
DELETE FROM pandora.messages
WHERE user_id IS NOT DISTINCT FROM $1 AND turn_id = ANY($2) AND role = 'assistant'
RETURNING point_id, session_id, ordinal
"""
# A message is part of the second vectors of its neighbours: those are made anew. The OFFSET keeps PostgreSQL,
# while it has no statistics, from reading all messages of the user for a join.
_NEIGHBOURS = """
UPDATE pandora.messages SET indexed = false WHERE point_id = ANY(ARRAY(
    SELECT beside.point_id FROM unnest($2::text[], $3::integer[]) AS gone (session_id, ordinal)
    CROSS JOIN LATERAL (
        SELECT point_id FROM pandora.messages WHERE user_id = $1 AND session_id = gone.session_id
            AND ordinal IN (gone.ordinal - 1, gone.ordinal + 1) OFFSET 0
    ) AS beside
))
RETURNING point_id
"""
# Topic and keywords may be words of the answer.
_CLEAR_TURNS = """
UPDATE pandora.turns AS t SET output = '', keywords = to_jsonb(asked.keywords),
    topic = array_to_string(asked.keywords[1:3], ' ')
FROM (
    SELECT turn_id, ARRAY(
        SELECT word FROM jsonb_array_elements_text(keywords) WITH ORDINALITY AS said (word, place)
        WHERE position(word IN lower(input)) > 0 ORDER BY place
    ) AS keywords FROM pandora.turns WHERE user_id IS NOT DISTINCT FROM $1 AND turn_id = ANY($2)
) AS asked WHERE t.turn_id = asked.turn_id
"""
_NOTE_CLEARED = """
INSERT INTO pandora.cleared_answers (turn_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
"""
_CLEARED = "SELECT turn_id FROM pandora.cleared_answers WHERE turn_id = ANY($1)"
_SOURCES = """
SELECT source_id FROM pandora.forgotten_sources WHERE user_id = $1 ORDER BY forgotten_at DESC LIMIT 10000
"""
# One message of the speaker is looked for, and not all of them joined.
_SPEAKERS = """
DELETE FROM pandora.speakers AS s WHERE user_id = $1 AND speaker = ANY($2) AND (
    SELECT m.point_id FROM pandora.messages AS m WHERE m.user_id = s.user_id AND m.speaker = s.speaker LIMIT 1
) IS NULL
"""
# Their numbers stay in the sums of their days.
_UNCOUNT = "DELETE FROM pandora.counted WHERE kind = 'turn' AND id = ANY($1)"


class PostgresForgotten:
    """ForgottenTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, order: ForgetRequested) -> list[Debt]:
        stores = [*OWED_BY_TURNS, *OWED_BY_MEMORIES, *OWED_BY_PAGES]
        async with self._database.transaction() as connection:
            await connection.execute(
                _NOTE, order.forget_id, order.user, order.scope, order.target, order.requested_at
            )
            return debts_in(await connection.fetch(OWE, stores, [order.forget_id]))

    async def unerased(self, after: str, limit: int) -> list[Receipt]:
        records = await self._database.fetch(_UNERASED, after, limit)
        return [msgspec.json.decode(record["receipt"], type=Receipt) for record in records]

    async def covered(self, said: Sequence[tuple[str, str, str, datetime]]) -> set[int]:
        if not said:
            return set()
        records = await self._database.fetch(_COVERED, *map(list, zip(*said, strict=True)))
        return {int(record["place"]) - 1 for record in records}

    async def remove(self, order: ForgetRequested) -> RemovedRows:
        if order.scope == "memory":
            return RemovedRows()
        session = order.target if order.scope == "session" else None
        turn = order.target if order.scope == "turn" else None
        scope = (order.user, session, turn, order.requested_at)
        async with self._database.transaction() as connection:
            turns = await connection.fetch(_REMOVE_TURNS, *scope)
            gone = await connection.fetch(_REMOVE_MESSAGES, *scope)
            neighbours = await connection.fetch(_NEIGHBOURS, order.user, *_places(gone))
            await connection.execute(_SPEAKERS, order.user, list({record["speaker"] for record in gone}))
            await connection.execute(_UNCOUNT, [record["turn_id"] for record in turns])
        return msgspec.structs.replace(_removed(gone, neighbours), turns=len(turns))

    async def sources(self, user: str) -> list[str]:
        return [record["source_id"] for record in await self._database.fetch(_SOURCES, user)]

    async def clear_answers(self, user: str, turn_ids: Sequence[str]) -> RemovedRows:
        async with self._database.transaction() as connection:
            await connection.execute(_NOTE_CLEARED, list(turn_ids))
            await connection.execute(OWE, list(OWED_BY_TURNS), list(turn_ids))
            await connection.execute(_CLEAR_TURNS, user, list(turn_ids))
            gone = await connection.fetch(_REMOVE_ANSWERS, user, list(turn_ids))
            neighbours = await connection.fetch(_NEIGHBOURS, user, *_places(gone))
        return _removed(gone, neighbours)

    async def cleared(self, turn_ids: Sequence[str]) -> set[str]:
        return {record["turn_id"] for record in await self._database.fetch(_CLEARED, list(turn_ids))}

    async def keep(self, receipt: Receipt) -> None:
        await self._database.fetch(
            "UPDATE pandora.forgotten SET receipt = $2 WHERE forget_id = $1",
            receipt.forget_id,
            msgspec.json.encode(receipt).decode(),
        )

    async def receipt(self, user: str, forget_id: str) -> Receipt | None:
        records = await self._database.fetch(
            "SELECT receipt FROM pandora.forgotten WHERE user_id = $1 AND forget_id = $2", user, forget_id
        )
        if not records or records[0]["receipt"] is None:
            return None
        return msgspec.json.decode(records[0]["receipt"], type=Receipt)


def _removed(gone: Sequence[Any], neighbours: Sequence[Any]) -> RemovedRows:
    return RemovedRows(
        messages=[record["point_id"] for record in gone],
        sessions=sorted({record["session_id"] for record in gone}),
        neighbours=[record["point_id"] for record in neighbours],
    )


def _places(gone: Sequence[dict[str, object]]) -> tuple[list[object], list[object]]:
    return [record["session_id"] for record in gone], [record["ordinal"] for record in gone]
