"""What turns took, in PostgreSQL: each turn counts once, however often it is delivered."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.indexer.postgres.database import Database
from services.indexer.postgres.text import storable
from services.indexer.usage.figures import Figure, Labels, figures_of
from shared.contract.events import TurnSaved
from shared.contract.requests import ObservedRow

_KEPT_FOR = timedelta(days=60)
"""Twice as long as any stream keeps an event."""
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
        """Turns and observations of pages that no stream can deliver again."""
        await self._database.fetch(
            "DELETE FROM pandora.counted WHERE counted_at < now() - $1::interval", _KEPT_FOR
        )


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
