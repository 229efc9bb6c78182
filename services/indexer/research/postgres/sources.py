"""What domains gave, in PostgreSQL: each observation counts once, however often it is delivered."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.indexer.postgres.database import Database
from services.indexer.postgres.text import storable
from shared.contract.events import SourceObserved
from shared.contract.requests import SourceRow

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


def _source(record: Any) -> SourceRow:
    fields = dict(record)
    fields["notes"] = msgspec.json.decode(fields["notes"], type=dict[str, str])
    return SourceRow(**fields)
