"""Fetched pages in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.indexer.postgres.database import Database
from services.indexer.postgres.text import storable
from services.indexer.research.pages import PageRow
from shared.contract.events import ForgetRequested

COLUMNS = """research_id, user_id, url, domain, title, text, primary_topic, quality_overall,
    confidence_current, fetched_at, expires_at, scope, published_at, content_types, doc_path, turn_id,
    turn_number, session_id, began_at"""
SELECT = f"SELECT {COLUMNS} FROM pandora.research AS r"  # noqa: S608 - COLUMNS is a constant
# A newer version takes the place of an older one. The same again, or an older one, changes nothing.
_ADD = f"""
INSERT INTO pandora.research AS r (point_id, {COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT (user_id, research_id) DO UPDATE SET
    url = excluded.url, domain = excluded.domain, title = excluded.title, text = excluded.text,
    primary_topic = excluded.primary_topic, quality_overall = excluded.quality_overall,
    confidence_current = excluded.confidence_current, fetched_at = excluded.fetched_at,
    expires_at = excluded.expires_at, scope = excluded.scope, published_at = excluded.published_at,
    content_types = excluded.content_types, doc_path = excluded.doc_path, turn_id = excluded.turn_id,
    turn_number = excluded.turn_number, session_id = excluded.session_id, began_at = excluded.began_at,
    indexed = false
WHERE r.fetched_at < excluded.fetched_at
"""  # noqa: S608 - COLUMNS is a constant
_UNINDEXED = f"{SELECT} WHERE point_id = $1 AND NOT indexed AND expires_at > $2"
_LATEST = """
user_id = $1 AND expires_at > $2 AND NOT EXISTS (
    SELECT FROM pandora.research AS later WHERE later.user_id = r.user_id AND md5(later.url) = md5(r.url)
        AND later.fetched_at > r.fetched_at OFFSET 0
)
"""
# Both OFFSETs leave PostgreSQL no choice: without statistics it would read all pages of the user.
_AT_POINTS = f"""
SELECT {COLUMNS} FROM unnest($3::uuid[]) AS asked (point)
CROSS JOIN LATERAL (SELECT * FROM pandora.research WHERE point_id = asked.point OFFSET 0) AS r WHERE {_LATEST}
"""  # noqa: S608 - COLUMNS and the two lists are constants
_OF_ADDRESS = f"{SELECT} WHERE {_LATEST} AND md5(url) = md5($3) ORDER BY fetched_at DESC LIMIT 1"
_OF_TOPIC = f"""
{SELECT} WHERE {_LATEST} AND lower(primary_topic) = lower($3)
ORDER BY quality_overall DESC, fetched_at DESC LIMIT $4
"""
_AT_POINT = f"{SELECT} WHERE point_id = $1"
_OF_USER = f"{SELECT} WHERE user_id = $1 AND research_id > $2 ORDER BY research_id LIMIT $3"
_REMOVE = """
DELETE FROM pandora.research WHERE user_id = $1 AND ($2::text IS NULL OR turn_id = $2)
    AND ($3::text IS NULL OR session_id = $3)
    AND ($4::timestamptz IS NULL OR began_at <= $4 OR began_at > now())
RETURNING point_id
"""
_EXPIRED = "FROM pandora.research WHERE expires_at <= $1"
_EXPIRED_INDEXED = f"{_EXPIRED} AND indexed"


class PostgresResearchTable:
    """ResearchTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: PageRow) -> None:
        await self._database.fetch(_ADD, row.point_id, *_fields(row))

    async def unindexed(self, point_id: UUID, now: datetime) -> PageRow | None:
        records = await self._database.fetch(_UNINDEXED, point_id, now)
        return page_row(records[0]) if records else None

    async def mark_indexed(self, point_id: UUID) -> None:
        await self._database.fetch("UPDATE pandora.research SET indexed = true WHERE point_id = $1", point_id)

    async def at_points(self, user: str, points: Sequence[UUID], now: datetime) -> dict[UUID, PageRow]:
        rows = await self._rows(_AT_POINTS, user, now, list(points))
        return {row.point_id: row for row in rows}

    async def of_address(self, user: str, url: str, now: datetime) -> list[PageRow]:
        return await self._rows(_OF_ADDRESS, user, now, url)

    async def of_topic(self, user: str, topic: str, now: datetime, *, limit: int) -> list[PageRow]:
        return await self._rows(_OF_TOPIC, user, now, storable(topic), limit)

    async def of_user(self, user: str, after: str, *, limit: int) -> list[PageRow]:
        return await self._rows(_OF_USER, user, storable(after), limit)

    async def at_point(self, point_id: UUID) -> PageRow | None:
        rows = await self._rows(_AT_POINT, point_id)
        return rows[0] if rows else None

    async def remove(self, order: ForgetRequested) -> list[UUID]:
        if order.scope == "memory":
            return []
        turn = order.target if order.scope == "turn" else None
        session = order.target if order.scope == "session" else None
        until = None if order.scope == "turn" else order.requested_at
        records = await self._database.fetch(_REMOVE, order.user, turn, session, until)
        return [record["point_id"] for record in records]

    async def delete(self, points: Sequence[UUID]) -> None:
        await self._database.fetch("DELETE FROM pandora.research WHERE point_id = ANY($1)", list(points))

    async def users_of_expired(self, before: datetime, *, indexed: bool, limit: int) -> list[str]:
        pages = f"SELECT user_id {_EXPIRED_INDEXED if indexed else _EXPIRED} LIMIT $2"
        records = await self._database.fetch(
            f"SELECT DISTINCT user_id FROM ({pages}) AS expired ORDER BY user_id",  # noqa: S608 - constants
            before,
            limit,
        )
        return [record["user_id"] for record in records]

    async def expired(self, user: str, before: datetime, *, indexed: bool, limit: int) -> list[UUID]:
        expired = _EXPIRED_INDEXED if indexed else _EXPIRED
        records = await self._database.fetch(
            f"SELECT point_id {expired} AND user_id = $2 LIMIT $3",
            before,
            user,
            limit,
        )
        return [record["point_id"] for record in records]

    async def note_removed(self, points: Sequence[UUID], now: datetime) -> None:
        await self._database.fetch(
            "UPDATE pandora.research SET indexed = false WHERE point_id = ANY($1) AND expires_at <= $2",
            list(points),
            now,
        )

    async def _rows(self, query: str, *arguments: object) -> list[PageRow]:
        return [page_row(record) for record in await self._database.fetch(query, *arguments)]


def _fields(row: PageRow) -> tuple[object, ...]:
    fields = msgspec.structs.asdict(row)
    fields["user_id"] = fields.pop("user")
    for name in ("title", "text", "primary_topic", "doc_path"):
        fields[name] = fields[name] and storable(fields[name])
    fields["content_types"] = msgspec.json.encode([storable(one) for one in row.content_types]).decode()
    return tuple(fields[name.strip()] for name in COLUMNS.split(","))


def page_row(record: Any) -> PageRow:
    fields = dict(record)
    fields["content_types"] = msgspec.json.decode(fields["content_types"], type=list[str])
    return PageRow(user=fields.pop("user_id"), **fields)
