"""Where the streams hold the events that came, in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from services.indexer.forgetting.arrivals import Arrival, Origin
from services.indexer.postgres.database import Database
from shared.contract.events import ForgetRequested, ForgetScope

_KEPT_FOR: Final = timedelta(days=31)
"""A day longer than OUTCOMES, MEMORIES and RESEARCH keep a message (`shared.bus.streams`)."""
# In one order: two writers of the same rows do not wait for each other.
_ADD = """
INSERT INTO pandora.arrivals (stream, sequence, stored_at, user_id, session_id, turn_id, memory_id, began_at)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::timestamptz[]) AS given (stream, sequence) ORDER BY stream, sequence
ON CONFLICT (stream, sequence) DO UPDATE SET stored_at = excluded.stored_at, user_id = excluded.user_id,
    session_id = excluded.session_id, turn_id = excluded.turn_id, memory_id = excluded.memory_id,
    began_at = excluded.began_at
WHERE pandora.arrivals.stored_at <> excluded.stored_at
"""
_IN_SESSION = "user_id = $1 AND session_id = $2 AND began_at <= $3"
# An event of a turn may not say its session.
_SCOPES: Final[Mapping[ForgetScope, str]] = {
    "turn": "user_id = $1 AND turn_id = $2 AND turn_id <> '' AND $3::timestamptz IS NOT NULL",
    "session": f"""({_IN_SESSION}) OR (user_id = $1 AND turn_id <> '' AND turn_id IN (
        SELECT turn_id FROM pandora.arrivals WHERE {_IN_SESSION}
    ))""",  # noqa: S608 - a constant
    "user": "user_id = $1 AND $2::text IS NOT NULL AND began_at <= $3",
}
_OF_MEMORIES = "user_id = $1 AND memory_id = ANY($2::text[]) AND memory_id <> ''"
_OF_TURNS = "user_id = $1 AND turn_id = ANY($2::text[]) AND turn_id <> ''"
_REMOVE = """
DELETE FROM pandora.arrivals AS a USING unnest($1::text[], $2::bigint[]) AS gone (stream, sequence)
WHERE (a.stream, a.sequence) = (gone.stream, gone.sequence)
"""
# A look at the beginning of the index for each stream, and not a scan of all.
_FIRST = """
SELECT known.stream, (
    SELECT sequence FROM pandora.arrivals AS a WHERE a.stream = known.stream ORDER BY sequence LIMIT 1
) AS sequence FROM unnest($1::text[]) AS known (stream)
"""


class PostgresArrivals:
    """ArrivalTable over PostgreSQL."""

    def __init__(self, database: Database, streams: Sequence[str]) -> None:
        self._database = database
        self._streams = list(streams)

    async def add(self, arrivals: Sequence[Arrival]) -> None:
        rows = [
            (
                *(one.stream, one.sequence, one.stored_at),
                *(one.origin.user, one.origin.session_id, one.origin.turn_id, one.origin.memory_id),
                one.origin.began_at,
            )
            for one in arrivals
        ]
        await self._database.fetch(_ADD, *map(list, zip(*rows, strict=True)))

    async def about(self, order: ForgetRequested, memory_ids: Collection[str], limit: int) -> list[Arrival]:
        found = await self._where(_OF_MEMORIES, limit, order.user, list(memory_ids)) if memory_ids else []
        if order.scope == "memory" or len(found) == limit:
            return found
        covered = await self._where(_SCOPES[order.scope], limit, order.user, order.target, order.requested_at)
        return list({(one.stream, one.sequence): one for one in (*found, *covered)}.values())

    async def about_turns(self, user: str, turn_ids: Sequence[str], limit: int) -> list[Arrival]:
        return await self._where(_OF_TURNS, limit, user, list(turn_ids))

    async def _where(self, condition: str, limit: int, *given: object) -> list[Arrival]:
        query = f"SELECT * FROM pandora.arrivals WHERE {condition} LIMIT {limit}"  # noqa: S608 - constants above
        return [_arrival(record) for record in await self._database.fetch(query, *given)]

    async def remove(self, arrivals: Sequence[Arrival]) -> None:
        streams, numbers = [one.stream for one in arrivals], [one.sequence for one in arrivals]
        await self._database.fetch(_REMOVE, streams, numbers)

    async def first(self) -> dict[str, int]:
        records = await self._database.fetch(_FIRST, self._streams)
        return {record["stream"]: record["sequence"] for record in records if record["sequence"] is not None}

    async def forget_expired(self) -> None:
        await self._database.fetch(
            "DELETE FROM pandora.arrivals WHERE stored_at < now() - $1::interval", _KEPT_FOR
        )


def _arrival(record: Any) -> Arrival:
    origin = Origin(
        *(record["user_id"], record["session_id"], record["turn_id"], record["began_at"]), record["memory_id"]
    )
    return Arrival(record["stream"], record["sequence"], record["stored_at"], origin)
