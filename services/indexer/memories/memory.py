"""A memory as it is stored, shown, searched and found."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from services.indexer.memories.decay import faded
from services.indexer.memories.history import Known
from services.indexer.passages.message import StoredMessage, point_id_of
from services.indexer.passages.passage import Passage
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.memories import Evidence, Maker, Memory, MemoryKind, MemoryStatus
from shared.contract.requests import Hit

_NO_SESSION: Final = ""


class MemoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A memory without what depends on the time of asking."""

    memory_id: str
    user: str
    text: str
    kind: MemoryKind
    subject: str
    attribute: str
    value: str
    confidence: float
    made_by: Maker
    valid_from: datetime
    valid_to: datetime | None
    superseded_by: str | None
    contradicts: list[str]
    confirmed_at: datetime
    used_at: datetime | None
    evidence: list[Evidence]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The memories of all slots that were written, and the ids that are no memories any more."""

    memories: list[MemoryRow]
    gone: list[str]


def row_of(known: Known) -> MemoryRow:
    return derive(MemoryRow, known, known.latest, valid_from=known.said[0].valid_from)


def memory_of(row: MemoryRow, now: datetime) -> Memory:
    sure = faded(row.confidence, row.kind, confirmed_at=row.confirmed_at, used_at=row.used_at, now=now)
    return derive(
        Memory,
        row,
        confidence=round(sure, 4),
        stored_confidence=round(row.confidence, 4),
        status=status_of(row, now),
        last_confirmed_at=row.confirmed_at,
    )


def status_of(row: MemoryRow, now: datetime) -> MemoryStatus:
    if row.valid_from > now:
        return "coming"
    if row.valid_to is not None and row.valid_to <= now:
        return "superseded" if row.superseded_by else "ended"
    return "disputed" if row.contradicts else "current"


def point_of(user: str, memory_id: str) -> UUID:
    """The id of its point in the index."""
    return point_id_of(user, _NO_SESSION, memory_id)


def passage_of(row: MemoryRow) -> Passage:
    """A memory is searched by its text, as if the user had said it in no session."""
    said = derive(
        StoredMessage,
        row,
        session_id=_NO_SESSION,
        message_id=row.memory_id,
        speaker="user",
        role="user",
        at=row.valid_from,
        ordinal=0,
        uses=0,
        indexed=True,
    )
    return Passage(message=said, part=0, text=row.text)


def hit_of(row: MemoryRow) -> Hit:
    """Stands on the messages in which it was said, the latest first; score and highlights come later."""
    latest = row.evidence[-1]
    ids = [message_id for one in reversed(row.evidence) for message_id in one.message_ids]
    return Hit(
        kind="memory",
        id=row.memory_id,
        score=0.0,
        text=row.text,
        session_id=latest.session_id,
        at=row.valid_from,
        message_ids=list(dict.fromkeys(ids)),
        turn_id=latest.turn_id,
        input=row.text,
    )


def cursor_of(row: MemoryRow) -> str:
    """The next page begins after this memory."""
    return f"{row.valid_from.isoformat()}/{row.memory_id}"


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Raises Refused."""
    since, _, memory_id = cursor.partition("/")
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not memory_id:
        raise Refused(422, f"cursor is {cursor!r}; it must be the next_cursor of the page before", "cursor")
    return at, memory_id
