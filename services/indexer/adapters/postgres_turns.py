"""The rows of turns in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.indexer.adapters.postgres import Database, storable
from services.indexer.domain.messages import point_id_of
from shared.events import SeenImage, TurnCancelled, TurnSaved
from shared.replies import SessionRow, TurnRow

_UPSERT = """
INSERT INTO pandora.turns (
    turn_number, turn_id, user_id, session_id, timestamp, topic, intent, keywords, quality,
    turn_dir, embedding_id, recipe, model, input, output, quoted, status, images
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (turn_id) DO NOTHING
"""
_COLUMNS = """turn_id, turn_number, session_id, timestamp, topic, intent, keywords, quality, model, recipe,
    input, output, quoted, status, images"""
_GET = f"""
SELECT {_COLUMNS} FROM pandora.turns WHERE user_id = $1 AND turn_id = ANY($2) AND status = 'saved'
"""  # noqa: S608 - constants
_LIST = f"""
SELECT {_COLUMNS} FROM pandora.turns
WHERE user_id = $1 AND ($2::text IS NULL OR session_id = $2) AND ($3::bigint IS NULL OR turn_number < $3)
ORDER BY turn_number DESC LIMIT $4
"""  # noqa: S608 - constants
_NEIGHBOURS = f"""
SELECT DISTINCT {_COLUMNS} FROM (
    SELECT beside.* FROM pandora.turns AS hit
    CROSS JOIN LATERAL (
        (SELECT * FROM pandora.turns WHERE user_id = $1 AND session_id = hit.session_id
            AND status = 'saved' AND turn_number < hit.turn_number ORDER BY turn_number DESC LIMIT 1)
        UNION ALL
        (SELECT * FROM pandora.turns WHERE user_id = $1 AND session_id = hit.session_id
            AND status = 'saved' AND turn_number > hit.turn_number ORDER BY turn_number LIMIT 1)
    ) AS beside
    WHERE hit.user_id = $1 AND hit.turn_id = ANY($2)
) AS found ORDER BY turn_number
"""  # noqa: S608 - constants
_SESSIONS = """
SELECT session_id, count(*) AS turns, min(timestamp) AS first_at, max(timestamp) AS last_at,
    coalesce((array_agg(topic ORDER BY turn_number DESC) FILTER (WHERE status = 'saved'))[1], '')
        AS last_topic
FROM pandora.turns WHERE user_id = $1 GROUP BY session_id ORDER BY max(turn_number) DESC LIMIT $2
"""
_COUNT = """
SELECT count(*) FILTER (WHERE status = 'saved'), coalesce(max(turn_number), 0) FROM pandora.turns
"""


class PostgresTurnTable:
    """TurnTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def upsert(self, turns: Sequence[TurnSaved | TurnCancelled]) -> None:
        # In one order: two indexers that write the same turns wait for each other, and never in a circle.
        rows = [_row(turn) for turn in sorted(turns, key=lambda turn: turn.turn_number)]
        await self._database.write(_UPSERT, rows)

    async def get(self, user: str, turn_ids: Sequence[str]) -> dict[str, TurnRow]:
        return {row.turn_id: row for row in await self._turns(_GET, user, list(turn_ids))}

    async def turns(
        self, user: str, *, session_id: str | None, before: int | None, limit: int
    ) -> list[TurnRow]:
        return await self._turns(_LIST, user, session_id, before, limit)

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        return await self._turns(_NEIGHBOURS, user, list(turn_ids))

    async def sessions(self, user: str, *, limit: int) -> list[SessionRow]:
        return [SessionRow(**dict(record)) for record in await self._database.fetch(_SESSIONS, user, limit)]

    async def count(self) -> tuple[int, int]:
        record = (await self._database.fetch(_COUNT))[0]
        return int(record[0]), int(record[1])

    async def _turns(self, query: str, *arguments: object) -> list[TurnRow]:
        return [_turn(record) for record in await self._database.fetch(query, *arguments)]


def _row(turn: TurnSaved | TurnCancelled) -> tuple[object, ...]:
    return _saved_row(turn) if isinstance(turn, TurnSaved) else _cancelled_row(turn)


def _saved_row(turn: TurnSaved) -> tuple[object, ...]:
    return (
        turn.turn_number,
        turn.turn_id,
        turn.user,
        turn.session_id,
        turn.saved_at,
        storable(turn.topic),
        turn.intent,
        msgspec.json.encode([storable(keyword) for keyword in turn.keywords]).decode(),
        turn.quality,
        turn.turn_dir,
        point_id_of(turn.user, turn.session_id, f"{turn.turn_id}:user"),
        turn.recipe,
        turn.model,
        storable(turn.input),
        storable(turn.output),
        turn.quoted,
        "saved",
        _images(turn),
    )


def _cancelled_row(turn: TurnCancelled) -> tuple[object, ...]:
    """Nobody judged what it is about, its event does not name its folder, and it has no point."""
    topic, intent, keywords, quality, turn_dir, point = "", "", "[]", 0.0, "", None
    return (
        turn.turn_number,
        turn.turn_id,
        turn.user,
        turn.session_id,
        turn.cancelled_at,
        topic,
        intent,
        keywords,
        quality,
        turn_dir,
        point,
        turn.recipe,
        turn.model,
        storable(turn.input),
        storable(turn.output),
        False,
        "cancelled",
        _images(turn),
    )


def _images(turn: TurnSaved | TurnCancelled) -> str:
    kept = [
        {name: storable(text) for name, text in msgspec.structs.asdict(image).items()}
        for image in turn.images
    ]
    return msgspec.json.encode(kept).decode()


def images_of(column: str) -> list[SeenImage]:
    return msgspec.json.decode(column, type=list[SeenImage])


def _turn(record: Any) -> TurnRow:
    fields = dict(record)
    fields["at"] = fields.pop("timestamp")
    fields["keywords"] = msgspec.json.decode(fields["keywords"], type=list[str])
    fields["images"] = images_of(fields["images"])
    return TurnRow(**fields)
