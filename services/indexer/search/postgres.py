"""Hits of messages in PostgreSQL: a message of a turn is shown as its turn, an imported one as itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from services.indexer.postgres.database import Database
from shared.contract.events import SeenImage, said_with_images
from shared.contract.requests import Hit

# The users are compared in forms that no index serves. Otherwise PostgreSQL, while it has no statistics of
# these tables yet, reads all rows of the user, and of the turns for each message.
_FOUND = """
SELECT m.point_id, m.message_id, m.session_id, m.speaker, m.at, m.turn_id,
    CASE WHEN m.turn_id IS NULL THEN m.text END AS text,
    t.turn_number, t.timestamp, t.input, t.output, t.quoted, t.images, t.abandoned
FROM pandora.messages AS m
LEFT JOIN pandora.turns AS t ON t.turn_id = m.turn_id
WHERE m.point_id = ANY($2) AND m.user_id IS NOT DISTINCT FROM $1
    AND (m.turn_id IS NULL OR (t.status = 'saved' AND t.user_id IS NOT DISTINCT FROM $1))
"""
_NO_IMAGES: Final = "[]"
_images = msgspec.json.Decoder(list[SeenImage])


class PostgresMessageHits:
    """Hits over PostgreSQL. A point without a row of this user is no hit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        records = await self._database.fetch(_FOUND, user, list(ids))
        # The ids as they are stored: to compute one takes longer than to read its row.
        return {
            record["point_id"]: _imported(record) if record[5] is None else _of_turn(record)
            for record in records
        }


def _of_turn(record: Any) -> Hit:
    _, message_id, session_id, speaker, _, turn_id, _, number, at, words, output, quoted, images, left = (
        record
    )
    said = words if images == _NO_IMAGES else said_with_images(words, _images.decode(images))
    return Hit(
        kind="turn",
        id=turn_id,
        score=0.0,
        text=said if quoted else f"{said}\n{output}",
        session_id=session_id,
        at=at,
        message_ids=[message_id],
        speaker=speaker,
        turn_id=turn_id,
        turn_number=number,
        input=said,
        output=output,
        quoted=quoted,
        abandoned=left,
    )


def _imported(record: Any) -> Hit:
    _, message_id, session_id, speaker, at, _, text, *_ = record
    return Hit(
        kind="turn",
        id=message_id,
        score=0.0,
        text=text,
        session_id=session_id,
        at=at,
        message_ids=[message_id],
        speaker=speaker,
        input=text,
    )
