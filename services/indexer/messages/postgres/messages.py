"""The rows of messages in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.indexer.messages.tables import Added
from services.indexer.passages.message import Message, StoredMessage
from services.indexer.postgres.database import Database
from services.indexer.postgres.estimates import estimated_rows
from services.indexer.postgres.text import storable

_LOCK_SESSIONS = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(user_id || E'\\n' || session_id, 5) AS key
    FROM unnest($1::text[], $2::text[]) AS given (user_id, session_id) ORDER BY key
) AS keys
"""
_GIVEN = """
unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
    $9::text[], $10::bigint[], $11::boolean[], $12::jsonb[]) WITH ORDINALITY AS given (
    point_id, user_id, session_id, message_id, speaker, role, text, at, turn_id, turn_number, is_echo, labels,
    place)
"""
_INSERT = f"""
WITH speakers AS (
    INSERT INTO pandora.speakers (user_id, speaker)
    SELECT DISTINCT said.user_id, said.speaker FROM unnest($2::text[], $5::text[]) AS said (user_id, speaker)
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
)
INSERT INTO pandora.messages (point_id, user_id, session_id, message_id, speaker, role, text, at, turn_id,
    turn_number, is_echo, labels, ordinal)
SELECT point_id, user_id, session_id, message_id, speaker, role, text, at, turn_id, turn_number, is_echo,
    labels,
    coalesce((SELECT max(m.ordinal) FROM pandora.messages AS m
        WHERE m.user_id = given.user_id AND m.session_id = given.session_id), -1)
    + row_number() OVER (PARTITION BY user_id, session_id ORDER BY place)
FROM {_GIVEN}
WHERE NOT EXISTS (SELECT FROM pandora.messages AS m WHERE m.point_id = given.point_id)
RETURNING point_id
"""  # noqa: S608 - _GIVEN is a constant
_CHANGE = f"""
UPDATE pandora.messages AS m SET text = given.text, speaker = given.speaker, role = given.role, at = given.at,
    indexed = false
FROM {_GIVEN}
WHERE m.point_id = given.point_id AND (m.text, m.speaker) IS DISTINCT FROM (given.text, given.speaker)
RETURNING m.point_id
"""  # noqa: S608 - _GIVEN is a constant
SELECT = """
SELECT point_id, user_id, session_id, message_id, speaker, role, text, at, turn_id, turn_number, is_echo,
    labels, ordinal, uses, indexed
FROM pandora.messages
"""
# The primary key finds the rows. PostgreSQL, while it has no statistics of these tables yet, would else read
# all rows of the user, or of all users.
WANTED_AND_BESIDE = f"""
{SELECT} WHERE point_id = ANY(ARRAY(
    SELECT near.point_id FROM wanted CROSS JOIN LATERAL (
        SELECT point_id FROM pandora.messages AS m
        WHERE m.user_id = wanted.user_id AND m.session_id = wanted.session_id
            AND m.ordinal BETWEEN wanted.ordinal - 2 AND wanted.ordinal + 2
        OFFSET 0
    ) AS near
))
ORDER BY user_id, session_id, ordinal
"""  # noqa: S608 - SELECT is a constant
"""Neighbours are written anew, and need their own neighbours: two before and after those of `wanted`."""
_UNINDEXED = f"""
WITH wanted AS (
    SELECT user_id, session_id, ordinal FROM pandora.messages WHERE point_id = ANY($1) AND NOT indexed
)
{WANTED_AND_BESIDE}
"""  # noqa: S608 - WANTED_AND_BESIDE is a constant
_GET = f"{SELECT} WHERE user_id IS NOT DISTINCT FROM $1 AND point_id = ANY($2)"
_USED = """
UPDATE pandora.messages AS m SET uses = uses + given.times
FROM unnest($2::uuid[], $3::integer[]) AS given (point_id, times)
WHERE m.user_id IS NOT DISTINCT FROM $1 AND m.point_id = ANY($2) AND m.point_id = given.point_id
RETURNING m.point_id, m.uses
"""
_COUNT = """
SELECT (SELECT count(*) FROM pandora.messages), (SELECT count(*) FROM pandora.messages WHERE NOT indexed)
"""
_MOST_UNINDEXED = """
SELECT count(*) FROM (SELECT FROM pandora.messages WHERE NOT indexed LIMIT 1000) AS first
"""


class PostgresMessageTable:
    """MessageTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, messages: Sequence[Message]) -> Added:
        # The last of those with one id, in the order of the first: a request may say a message twice.
        unique = list({message.point_id: message for message in messages}.values())
        rows = list(zip(*map(row_of, unique), strict=True))
        if not rows:
            return Added(0, [], 0)
        async with self._database.transaction() as connection:
            # One writer a session: places are given in order, and two writers never wait in a circle.
            await connection.execute(_LOCK_SESSIONS, rows[1], rows[2])
            new = len(await connection.fetch(_INSERT, *rows))
            records = await connection.fetch(_CHANGE, *rows) if new < len(unique) else []
        changed = [record["point_id"] for record in records]
        return Added(new, changed, len(messages) - new - len(changed))

    async def unindexed(self, ids: Sequence[UUID]) -> list[StoredMessage]:
        return [stored_message(record) for record in await self._database.fetch(_UNINDEXED, list(ids))]

    async def mark_indexed(self, ids: Sequence[UUID]) -> None:
        await self._database.fetch(
            "UPDATE pandora.messages SET indexed = true WHERE point_id = ANY($1)", list(ids)
        )

    async def get(self, user: str, ids: Sequence[UUID]) -> dict[UUID, StoredMessage]:
        # The ids as they are stored: to compute one takes longer than to read its row.
        records = await self._database.fetch(_GET, user, list(ids))
        return {record["point_id"]: stored_message(record) for record in records}

    async def speakers(self, user: str) -> list[str]:
        records = await self._database.fetch("SELECT speaker FROM pandora.speakers WHERE user_id = $1", user)
        return [str(record["speaker"]) for record in records]

    async def used(self, user: str, times: Mapping[UUID, int]) -> dict[UUID, int]:
        records = await self._database.fetch(_USED, user, list(times), list(times.values()))
        return {record["point_id"]: int(record["uses"]) for record in records}

    async def count(self) -> tuple[int, int]:
        record = (await self._database.fetch(_COUNT))[0]
        return int(record[0]), int(record[1])

    async def estimate(self) -> tuple[int, int]:
        rows = await estimated_rows(self._database, "pandora.messages")
        ((unindexed,),) = await self._database.fetch(_MOST_UNINDEXED)
        return rows, int(unindexed)


def row_of(message: Message) -> tuple[object, ...]:
    labels = {
        key: storable(value) if isinstance(value, str) else value for key, value in message.labels.items()
    }
    return (
        message.point_id,
        message.user,
        message.session_id,
        message.message_id,
        storable(message.speaker),
        message.role,
        storable(message.text),
        message.at,
        message.turn_id,
        message.turn_number,
        message.is_echo,
        msgspec.json.encode(labels).decode(),
    )


def stored_message(record: Any) -> StoredMessage:
    fields = dict(record)
    fields["user"] = fields.pop("user_id")
    del fields["point_id"]  # It follows from the others.
    fields["labels"] = msgspec.json.decode(fields["labels"], type=dict[str, Any])
    return StoredMessage(**fields)
