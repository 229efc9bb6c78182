"""What is counted once, however often it is delivered: sources of pages, and what turns took."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from services.indexer.adapters.postgres import Database, storable
from services.indexer.domain.observed import Figure, Labels, figures_of
from shared.events import SourceObserved, TurnSaved
from shared.replies import ObservedRow, SourceRow

_KEPT_FOR = timedelta(days=60)
"""Twice as long as any stream keeps an event."""
_COUNT_SOURCE = """
WITH new AS (
    INSERT INTO pandora.counted (kind, id) VALUES ('source', $1) ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO pandora.sources AS s (domain, success_count, failure_count, last_success, last_failure,
    reliability_score, notes)
SELECT $2, $3::integer, $4::integer, $5::timestamptz, $6::timestamptz, ($3 + 1.0) / ($3 + $4 + 2.0), $7
FROM new
ON CONFLICT (domain) DO UPDATE SET
    success_count = s.success_count + excluded.success_count,
    failure_count = s.failure_count + excluded.failure_count,
    last_success = greatest(s.last_success, excluded.last_success),
    last_failure = greatest(s.last_failure, excluded.last_failure),
    reliability_score = (s.success_count + excluded.success_count + 1.0)
        / (s.success_count + s.failure_count + excluded.success_count + excluded.failure_count + 2.0),
    notes = CASE WHEN excluded.last_failure >= coalesce(s.last_failure, '-infinity')
        THEN s.notes || excluded.notes ELSE s.notes END
"""
_SOURCES = """
SELECT domain, success_count, failure_count, last_success, last_failure, reliability_score, notes
FROM pandora.sources WHERE domain = ANY($1)
"""
_COUNT_TURNS = """
INSERT INTO pandora.counted (kind, id) SELECT 'turn', id FROM unnest($1::text[]) AS given (id) ORDER BY id
ON CONFLICT DO NOTHING RETURNING id
"""
_ADD = """
INSERT INTO pandora.observability AS o (day, name, recipe, phase, role, model, count, sum, least, most,
    buckets)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (day, name, recipe, phase, role, model) DO UPDATE SET
    count = o.count + excluded.count,
    sum = o.sum + excluded.sum,
    least = least(o.least, excluded.least),
    most = greatest(o.most, excluded.most),
    buckets = ARRAY(
        SELECT one + other FROM unnest(o.buckets, excluded.buckets) WITH ORDINALITY AS b (one, other, place)
        ORDER BY place
    )
"""
_FIGURES = """
SELECT day, name, recipe, phase, role, model, count, sum, least, most, buckets FROM pandora.observability
WHERE day > (now() AT TIME ZONE 'UTC')::date - $1::integer AND ($2::text IS NULL OR name = $2)
ORDER BY day DESC, name, recipe, phase, role, model LIMIT $3
"""


class PostgresSources:
    """SourceTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, event: SourceObserved) -> None:
        reason = storable(event.reason)
        await self._database.fetch(
            _COUNT_SOURCE,
            event.observation_id,
            event.domain,
            int(event.ok),
            int(not event.ok),
            event.at if event.ok else None,
            None if event.ok else event.at,
            msgspec.json.encode({"last_reason": reason} if reason and not event.ok else {}).decode(),
        )

    async def get(self, domains: Sequence[str]) -> dict[str, SourceRow]:
        records = await self._database.fetch(_SOURCES, list(domains))
        return {record["domain"]: _source(record) for record in records}


class PostgresObservability:
    """FigureTable over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, turns: Sequence[TurnSaved]) -> None:
        by_id = {turn.turn_id: turn for turn in turns}
        async with self._database.transaction() as connection:
            records = await connection.fetch(_COUNT_TURNS, list(by_id))
            figures = figures_of([by_id[record["id"]] for record in records])
            # In one order: two writers of the same day never wait in a circle.
            rows = [(*_labels(labels), *_values(figure)) for labels, figure in sorted(figures.items())]
            await connection.executemany(_ADD, rows)

    async def rows(self, days: int, name: str | None, *, limit: int) -> list[ObservedRow]:
        return [_observed(dict(record)) for record in await self._database.fetch(_FIGURES, days, name, limit)]

    async def forget_counted(self) -> None:
        """Of what no stream can deliver again."""
        await self._database.fetch(
            "DELETE FROM pandora.counted WHERE counted_at < now() - $1::interval", _KEPT_FOR
        )


def _source(record: Any) -> SourceRow:
    fields = dict(record)
    fields["notes"] = msgspec.json.decode(fields["notes"], type=dict[str, str])
    return SourceRow(**fields)


def _labels(labels: Labels) -> tuple[object, ...]:
    named = (labels.name, labels.recipe, labels.phase, labels.role, labels.model)
    return labels.day, *map(storable, named)


def _values(figure: Figure) -> tuple[object, ...]:
    return figure.count, figure.sum, figure.least, figure.most, figure.buckets


def _observed(fields: dict[str, Any]) -> ObservedRow:
    figure = Figure(
        **{name: fields.pop(name) for name in ("least", "most", "buckets")}, count=fields["count"]
    )
    return ObservedRow(**fields, p50=round(figure.percentile(0.5), 6), p95=round(figure.percentile(0.95), 6))
