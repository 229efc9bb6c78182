"""Saved turns without messages, in PostgreSQL: those of before migration 0003."""

from collections.abc import Mapping
from typing import Any

from services.indexer.messages.postgres.turns import COLUMNS, turn_of
from services.indexer.passages.message import messages_of
from services.indexer.postgres.database import Database
from shared.contract.derivation import derive
from shared.contract.events import TurnSaved

_TURNS_WITHOUT_MESSAGES = f"""
SELECT {", ".join(COLUMNS)}, user_id, turn_dir
FROM pandora.turns AS t
WHERE status = 'saved' AND turn_number > $1
    AND NOT EXISTS (SELECT FROM pandora.messages AS m WHERE m.turn_id = t.turn_id)
ORDER BY turn_number LIMIT $2
"""  # noqa: S608 - COLUMNS is a constant


class PostgresTurnsWithoutMessages:
    """TurnsWithoutMessages over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, turn_number: int, limit: int) -> list[TurnSaved]:
        while records := await self._database.fetch(_TURNS_WITHOUT_MESSAGES, turn_number, limit):
            turns = [_turn(record) for record in records]
            if with_text := [turn for turn in turns if messages_of(turn)]:
                return with_text
            turn_number = turns[-1].turn_number
        return []


def _turn(record: Mapping[str, Any]) -> TurnSaved:
    """Its row does not have the time of the request, which was shortly before it was saved."""
    row, user, turn_dir = turn_of(record), record["user_id"], record["turn_dir"]
    return derive(TurnSaved, row, user=user, turn_dir=turn_dir, requested_at=row.at, saved_at=row.at)
