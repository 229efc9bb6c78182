"""Statements about where Alice lives."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.indexer.memories.history import Known
from services.indexer.memories.statement import Said

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def said(value: str, after: timedelta = timedelta(0), **more: Any) -> Said:
    fields: dict[str, Any] = {
        "statement_id": f"{value}-{after / DAY:g}",
        "kind": "fact",
        "subject": "user",
        "attribute": "home",
        "text": f"I live in {value}.",
        "confidence": 0.9,
        "made_by": "reflector",
        "said_at": NOON + after,
        "valid_from": NOON + after,
        **more,
    }
    return Said(user="alice", value=value, **fields)


def story(history: list[Known]) -> list[tuple[str, int, datetime | None]]:
    """Value, statements and end of each."""
    return [(known.latest.value, len(known.said), known.valid_to) for known in history]
