"""Statements as they come in, as a user corrects them, and memories as they are shown."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from services.indexer.domain.decay import faded
from services.indexer.domain.memories import Known, Said, plain_attribute, plain_subject
from services.indexer.domain.messages import StoredMessage, point_id_of
from services.indexer.domain.passages import Passage
from shared.errors import Refused
from shared.memories import Evidence, Maker, Memory, MemoryKind, MemoryStatus, Statement
from shared.replies import Hit, MemoryChange
from shared.statements import read_statements

_TASTES: Final = frozenset({"likes", "dislikes", "prefers"})
_NO_SESSION: Final = ""
_LATEST: Final = "the time is not one that can be stored; use a year between 1 and 9998"


class MemoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A memory as it is stored: without what depends on the time of asking."""

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
    """The memories of all slots that were written, as they are now, and the ids that are none any more."""

    memories: list[MemoryRow]
    gone: list[str]


def said_of(memory_id: str, user: str, statement: Statement, now: datetime) -> Said:
    """Fills in what was left out: of a bare text without a kind also what it is about, where that is plain.

    Raises Refused where it says nothing, or ends before it begins.
    """
    said_at = statement.said_at or now
    said = Said(
        statement_id=memory_id,
        user=user,
        kind=statement.kind or _kind_of(statement),
        subject=plain_subject(_storable(statement.subject)),
        attribute=plain_attribute(_storable(statement.attribute)),
        value=_storable(statement.value).strip(),
        text=_storable(statement.text).strip(),
        confidence=statement.confidence,
        made_by=statement.made_by,
        said_at=said_at,
        valid_from=statement.valid_from or said_at,
        valid_to=statement.valid_to,
        turn_id=statement.turn_id,
        session_id=_storable(statement.session_id),
        message_ids=[_storable(one) for one in statement.message_ids],
        quote=_storable(statement.quote),
    )
    if statement.kind is None and not said.attribute and not said.value:
        said = _read(said)
    return _checked(said)


def _kind_of(statement: Statement) -> MemoryKind:
    attribute = plain_attribute(statement.attribute)
    if attribute in _TASTES or attribute.startswith("favourite"):
        return "preference"
    return "fact" if attribute or statement.value.strip() else "note"


def _read(said: Said) -> Said:
    understood = read_statements(said.text)
    if len(understood) != 1:
        return said
    (one,) = understood
    return msgspec.structs.replace(
        said,
        kind=one.kind,
        attribute=plain_attribute(one.attribute),
        value=one.value,
        text=one.text,
        quote=said.quote or said.text,
    )


def changed(known: Known, change: MemoryChange) -> list[Said]:
    """The memory's statements as the user wants them; what was said, and when, stays. Raises Refused."""
    superseded = known.superseded_by is not None
    if superseded and change.valid_to is None:
        raise Refused(
            409, f"memory {known.superseded_by} has taken its place; change or delete that one", "valid_to"
        )
    words = {
        name: value
        for name, value in {
            "text": None if change.text is None else _storable(change.text).strip(),
            "kind": change.kind,
            "subject": None if change.subject is None else plain_subject(_storable(change.subject)),
            "attribute": None if change.attribute is None else plain_attribute(_storable(change.attribute)),
            "value": None if change.value is None else _storable(change.value).strip(),
        }.items()
        if value is not None
    }
    if words:
        words["made_by"] = "user"
    said = [msgspec.structs.replace(one, **words) for one in known.said]
    if (
        change.confidence is not None
    ):  # The first one's counts whole; the others confirm it, from here on anew.
        said = [msgspec.structs.replace(one, confidence=0.0) for one in said]
        said[0] = msgspec.structs.replace(said[0], confidence=change.confidence)
    if change.valid_from is not None:
        since = change.valid_from
        said = [msgspec.structs.replace(one, valid_from=max(one.valid_from, since)) for one in said]
        said[0] = msgspec.structs.replace(said[0], valid_from=since)
    if change.valid_to is not msgspec.UNSET:
        said = [msgspec.structs.replace(one, valid_to=None) for one in said]
        said[-1] = msgspec.structs.replace(said[-1], valid_to=change.valid_to)
    return [_checked(one) for one in said]


def _checked(said: Said) -> Said:
    if not said.text:
        raise Refused(422, "text is empty; say what to remember", "text")
    if said.valid_to is not None and said.valid_to <= said.valid_from:
        raise Refused(422, "valid_to is not after valid_from", "valid_to")
    for name in ("said_at", "valid_from", "valid_to"):
        at = getattr(said, name)
        if at is not None and not 1 < at.year < 9999:
            raise Refused(422, f"{name}: {_LATEST}", name)
    return said


def row_of(known: Known) -> MemoryRow:
    latest = known.latest
    return MemoryRow(
        memory_id=known.memory_id,
        user=latest.user,
        text=latest.text,
        kind=latest.kind,
        subject=latest.subject,
        attribute=latest.attribute,
        value=latest.value,
        confidence=known.confidence,
        made_by=known.made_by,
        valid_from=known.said[0].valid_from,
        valid_to=known.valid_to,
        superseded_by=known.superseded_by,
        contradicts=known.contradicts,
        confirmed_at=known.confirmed_at,
        used_at=known.used_at,
        evidence=known.evidence,
    )


def memory_of(row: MemoryRow, now: datetime) -> Memory:
    sure = faded(row.confidence, row.kind, confirmed_at=row.confirmed_at, used_at=row.used_at, now=now)
    return Memory(
        memory_id=row.memory_id,
        user=row.user,
        text=row.text,
        kind=row.kind,
        subject=row.subject,
        attribute=row.attribute,
        value=row.value,
        confidence=round(sure, 4),
        stored_confidence=round(row.confidence, 4),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        status=status_of(row, now),
        made_by=row.made_by,
        evidence=row.evidence,
        last_confirmed_at=row.confirmed_at,
        used_at=row.used_at,
        contradicts=row.contradicts,
        superseded_by=row.superseded_by,
    )


def status_of(row: MemoryRow, now: datetime) -> MemoryStatus:
    if row.valid_from > now:
        return "coming"
    if row.valid_to is not None and row.valid_to <= now:
        return "superseded" if row.superseded_by else "ended"
    return "disputed" if row.contradicts else "current"


def point_of(user: str, memory_id: str) -> UUID:
    """Where the index has it."""
    return point_id_of(user, _NO_SESSION, memory_id)


def passage_of(row: MemoryRow) -> Passage:
    """A memory is searched by its text, as if the user had said it in no session."""
    said = StoredMessage(
        user=row.user,
        session_id=_NO_SESSION,
        message_id=row.memory_id,
        speaker="user",
        role="user",
        text=row.text,
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


# --- pages -------------------------------------------------------------------------------------------------


def cursor_of(row: MemoryRow) -> str:
    """What stands behind it begins the next page."""
    return f"{row.valid_from.isoformat()}/{row.memory_id}"


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Raises Refused."""
    since, _, memory_id = cursor.partition("/")
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not memory_id:
        raise Refused(422, "cursor is none; use the next_cursor of the last page", "cursor")
    return at, memory_id


def _storable(text: str) -> str:
    """PostgreSQL's text holds every character but NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
