"""Statements as they come in, and as a user corrects them."""

from datetime import datetime
from typing import Final

import msgspec

from services.indexer.memories.history import Known
from services.indexer.memories.slots import plain_attribute, plain_subject
from services.indexer.memories.statement import Said
from services.indexer.postgres.text import storable
from shared.contract.errors import Refused
from shared.contract.memories import MemoryKind, Statement
from shared.contract.requests import MemoryChange
from shared.language.statements import read_statements

_PREFERENCES: Final = frozenset({"likes", "dislikes", "prefers"})
_NO_TIME: Final = "the time is not one that can be stored; use a year between 2 and 9998"


def said_of(memory_id: str, user: str, statement: Statement, now: datetime) -> Said:
    """Fills in what was left out. Of a bare text without a kind it also reads the rest where that is plain.

    Raises Refused where it says nothing, or ends before it begins.
    """
    said_at = statement.said_at or now
    said = Said(
        statement_id=memory_id,
        user=user,
        kind=statement.kind or _kind_of(statement),
        subject=plain_subject(storable(statement.subject)),
        attribute=plain_attribute(storable(statement.attribute)),
        value=storable(statement.value).strip(),
        text=storable(statement.text).strip(),
        confidence=statement.confidence,
        made_by=statement.made_by,
        said_at=said_at,
        valid_from=statement.valid_from or said_at,
        valid_to=statement.valid_to,
        turn_id=statement.turn_id,
        session_id=storable(statement.session_id),
        message_ids=[storable(one) for one in statement.message_ids],
        quote=storable(statement.quote),
    )
    if statement.kind is None and not said.attribute and not said.value:
        said = _read(said)
    return _checked(said)


def _kind_of(statement: Statement) -> MemoryKind:
    attribute = plain_attribute(statement.attribute)
    if attribute in _PREFERENCES or attribute.startswith("favourite"):
        return "preference"
    return "fact" if attribute or statement.value.strip() else "note"


def _read(said: Said) -> Said:
    """Takes over what the patterns read, where they read one statement."""
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
    """The memory's statements as the user wants them. What was said, and when, stays. Raises Refused."""
    superseded = known.superseded_by is not None
    if superseded and change.valid_to is None:
        raise Refused(
            409, f"memory {known.superseded_by} has taken its place; change or delete that one", "valid_to"
        )
    words = _changed_words(change)
    said = [msgspec.structs.replace(one, **words) for one in known.said]
    if change.confidence is not None:  # The first counts whole, the others confirm it.
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


def _changed_words(change: MemoryChange) -> dict[str, str]:
    """Text, kind, subject, attribute and value, as far as they change; who changes them made them."""
    words: dict[str, str] = {}
    if change.text is not None:
        words["text"] = storable(change.text).strip()
    if change.kind is not None:
        words["kind"] = change.kind
    if change.subject is not None:
        words["subject"] = plain_subject(storable(change.subject))
    if change.attribute is not None:
        words["attribute"] = plain_attribute(storable(change.attribute))
    if change.value is not None:
        words["value"] = storable(change.value).strip()
    return {**words, "made_by": "user"} if words else words


def _checked(said: Said) -> Said:
    if not said.text:
        raise Refused(422, "text is empty; say what to remember", "text")
    if said.valid_to is not None and said.valid_to <= said.valid_from:
        raise Refused(422, "valid_to is not after valid_from; give a later time, or null", "valid_to")
    for name in ("said_at", "valid_from", "valid_to"):
        at = getattr(said, name)
        if at is not None and not 1 < at.year < 9999:
            raise Refused(422, f"{name}: {_NO_TIME}", name)
    return said
