"""A memory that was exported, as the statements that bring it back."""

from typing import Final

import msgspec

from shared.memories import Memory, Statement
from shared.replies import SaveMemory

_LONGEST_ID: Final = 60


def read_memory(line: bytes) -> Memory:
    """Raises ValueError; the message says why."""
    try:
        return msgspec.json.decode(line, type=Memory)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def statements_of(memory: Memory, user: str) -> list[SaveMemory]:
    """Its first statement; of one that still holds, also the times that it was said again.

    Their ids are the same whenever they are read, so that nothing is stored twice.
    """
    first = Statement(
        text=memory.text,
        kind=memory.kind,
        subject=memory.subject,
        attribute=memory.attribute,
        value=memory.value,
        confidence=memory.stored_confidence,
        made_by=memory.made_by,
        said_at=memory.valid_from,
        valid_from=memory.valid_from,
        valid_to=memory.valid_to,
    )
    said = memory.evidence if memory.valid_to is None else memory.evidence[:1]
    statements = [
        msgspec.structs.replace(
            first,
            made_by=evidence.made_by,
            said_at=evidence.said_at,
            valid_from=memory.valid_from if place == 0 else max(memory.valid_from, evidence.said_at),
            turn_id=evidence.turn_id,
            session_id=evidence.session_id,
            message_ids=evidence.message_ids,
            quote=evidence.quote,
        )
        for place, evidence in enumerate(said)
    ]
    return [
        SaveMemory(user=user, statement=one, memory_id=_id_of(memory, place))
        for place, one in enumerate(statements or [first])
    ]


def _id_of(memory: Memory, place: int) -> str:
    return memory.memory_id if place == 0 else f"{memory.memory_id[:_LONGEST_ID]}-{place}"
