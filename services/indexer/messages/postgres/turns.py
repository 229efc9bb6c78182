"""The rows of turns in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, get_origin

import msgspec

from services.indexer.messages.postgres.branches import mark_branches
from services.indexer.passages.message import point_id_of
from services.indexer.postgres.database import Database
from services.indexer.postgres.estimates import estimated_rows
from services.indexer.postgres.text import storable
from shared.contract.derivation import derive
from shared.contract.events import TurnCancelled, TurnSaved
from shared.contract.requests import ConversationRow, SessionRow, TurnRow

COLUMNS: Final = ["timestamp" if name == "at" else name for name in TurnRow.__struct_fields__]
"""What a list of turns shows. A new field of TurnRow needs a migration that adds a column of its name."""
_DECODERS: Final = {
    field.name: msgspec.json.Decoder(field.type)
    for field in msgspec.structs.fields(TurnRow)
    if get_origin(field.type) is list
}
"""Lists are columns of JSON."""
WRITTEN: Final = (*COLUMNS, "user_id", "turn_dir", "embedding_id")
"""The columns that `row_of` fills."""
_UPSERT = f"""
INSERT INTO pandora.turns ({", ".join(WRITTEN)})
VALUES ({", ".join(f"${place}" for place in range(1, len(WRITTEN) + 1))})
ON CONFLICT (turn_id) DO NOTHING
"""  # noqa: S608 - WRITTEN is a constant
_OF_NO_ANSWER: Final[dict[str, Any]] = {
    field.name: (get_origin(field.type) or field.type)()
    for field in msgspec.structs.fields(TurnRow)
    if field.required and field.name not in (*TurnCancelled.__struct_fields__, "at")
}
"""What the event of a cancelled turn does not have is empty: its topic, its keywords, its quality ..."""
_LISTED = ", ".join(COLUMNS)
_SELECT = f"SELECT {_LISTED} FROM pandora.turns"  # noqa: S608 - COLUMNS is a constant
_LIST = f"""
{_SELECT}
WHERE user_id = $1 AND ($2::text IS NULL OR session_id = $2) AND ($3::bigint IS NULL OR turn_number < $3)
ORDER BY turn_number DESC LIMIT $4
"""
_NEIGHBOURS = f"""
SELECT DISTINCT {_LISTED} FROM (
    SELECT neighbour.* FROM pandora.turns AS hit
    CROSS JOIN LATERAL (
        (SELECT * FROM pandora.turns WHERE user_id = $1 AND session_id = hit.session_id
            AND status = 'saved' AND NOT abandoned AND turn_number < hit.turn_number
            ORDER BY turn_number DESC LIMIT 1)
        UNION ALL
        (SELECT * FROM pandora.turns WHERE user_id = $1 AND session_id = hit.session_id
            AND status = 'saved' AND NOT abandoned AND turn_number > hit.turn_number
            ORDER BY turn_number LIMIT 1)
    ) AS neighbour
    WHERE hit.user_id IS NOT DISTINCT FROM $1 AND hit.turn_id = ANY($2)
) AS found ORDER BY turn_number
"""  # noqa: S608 - COLUMNS is a constant
_SESSIONS = """
SELECT session_id, count(*) AS turns, min(timestamp) AS first_at, max(timestamp) AS last_at,
    coalesce((array_agg(topic ORDER BY turn_number DESC) FILTER (WHERE status = 'saved'))[1], '')
        AS last_topic
FROM pandora.turns WHERE user_id = $1 GROUP BY session_id ORDER BY max(turn_number) DESC LIMIT $2
"""
_CONVERSATIONS = """
WITH said AS (
    SELECT session_id, count(*) AS messages, min(at) AS first_at, max(at) AS last_at
    FROM pandora.messages WHERE user_id = $1 AND ($2::text IS NULL OR session_id = $2) GROUP BY session_id
), told AS (
    SELECT session_id, count(*) AS turns, min(timestamp) AS first_at, max(timestamp) AS last_at,
        (array_agg(topic ORDER BY turn_number DESC) FILTER (WHERE status = 'saved'))[1] AS last_topic
    FROM pandora.turns WHERE user_id = $1 AND ($2::text IS NULL OR session_id = $2) GROUP BY session_id
), both_of AS (
    SELECT session_id, coalesce(turns, 0) AS turns, coalesce(messages, 0) AS messages,
        least(said.first_at, told.first_at) AS first_at, greatest(said.last_at, told.last_at) AS last_at,
        coalesce(last_topic, '') AS last_topic
    FROM said FULL JOIN told USING (session_id)
)
SELECT * FROM both_of WHERE $3::timestamptz IS NULL OR (last_at, session_id) < ($3, $4)
ORDER BY last_at DESC, session_id DESC LIMIT $5
"""
_COUNT = """
SELECT count(*) FILTER (WHERE status = 'saved'), coalesce(max(turn_number), 0) FROM pandora.turns
"""
_HIGHEST = "SELECT coalesce(max(turn_number), 0) FROM pandora.turns"


class PostgresTurnTable:
    """TurnTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def upsert(self, turns: Sequence[TurnSaved | TurnCancelled]) -> None:
        # In one order: two indexers that write the same turns wait for each other, and never in a circle.
        rows = [row_of(turn) for turn in sorted(turns, key=lambda turn: turn.turn_number)]
        await self._database.write(_UPSERT, rows)
        await mark_branches(self._database, turns)

    async def turns(
        self, user: str, *, session_id: str | None, before: int | None, limit: int
    ) -> list[TurnRow]:
        return await self._turns(_LIST, user, session_id, before, limit)

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        return await self._turns(_NEIGHBOURS, user, list(turn_ids))

    async def sessions(self, user: str, *, limit: int) -> list[SessionRow]:
        return [SessionRow(**dict(record)) for record in await self._database.fetch(_SESSIONS, user, limit)]

    async def conversations(
        self,
        user: str,
        *,
        session_id: str | None,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> list[ConversationRow]:
        at, name = before or (None, "")
        records = await self._database.fetch(_CONVERSATIONS, user, session_id, at, name, limit)
        return [ConversationRow(**dict(record)) for record in records]

    async def count(self) -> tuple[int, int]:
        record = (await self._database.fetch(_COUNT))[0]
        return int(record[0]), int(record[1])

    async def estimate(self) -> tuple[int, int]:
        rows = await estimated_rows(self._database, "pandora.turns")
        ((highest,),) = await self._database.fetch(_HIGHEST)
        return rows, int(highest)

    async def _turns(self, query: str, *arguments: object) -> list[TurnRow]:
        return [turn_of(record) for record in await self._database.fetch(query, *arguments)]


def row_of(turn: TurnSaved | TurnCancelled) -> tuple[object, ...]:
    """Its values of WRITTEN."""
    if isinstance(turn, TurnSaved):
        row = derive(TurnRow, turn, at=turn.saved_at, status="saved")
        embedding_id = point_id_of(turn.user, turn.session_id, f"{turn.turn_id}:user")
        return (*_columns_of(row), turn.user, turn.turn_dir, embedding_id)
    row = derive(TurnRow, turn, at=turn.cancelled_at, status="cancelled", **_OF_NO_ANSWER)
    return (*_columns_of(row), turn.user, "", None)


def turn_of(record: Mapping[str, Any]) -> TurnRow:
    """The turn of a row with at least COLUMNS."""
    fields = {name: record[column] for name, column in zip(TurnRow.__struct_fields__, COLUMNS, strict=True)}
    return TurnRow(**fields | {name: decoder.decode(fields[name]) for name, decoder in _DECODERS.items()})


def _columns_of(row: TurnRow) -> list[object]:
    return [_column(getattr(row, name)) for name in TurnRow.__struct_fields__]


def _column(value: object) -> object:
    if isinstance(value, list):
        return msgspec.json.encode(_storable(msgspec.to_builtins(value))).decode()
    return _storable(value)


def _storable(value: Any) -> Any:
    """The same without NUL in any of its texts."""
    match value:
        case str():
            return storable(value)
        case list():
            return [_storable(one) for one in value]
        case dict():
            return {name: _storable(one) for name, one in value.items()}
        case _:
            return value
