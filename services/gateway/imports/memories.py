"""An exported memory, as the statements that bring it back."""

from typing import Final

import msgspec

from shared.contract.derivation import derive
from shared.contract.events import UNREADABLE
from shared.contract.memories import Memory, Statement
from shared.contract.requests import SaveMemory

_LONGEST_ID: Final = 60


def read_memory(line: bytes) -> Memory:
    """Raises ValueError. The message says why."""
    try:
        return msgspec.json.decode(line, type=Memory)
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def statements_of(memory: Memory, user: str) -> list[SaveMemory]:
    """Returns its first statement. Of a memory that is still valid, also those that confirmed it.

    The same memory gives the same ids each time, so that nothing is stored twice.
    """
    first = derive(Statement, memory, confidence=memory.stored_confidence, said_at=memory.valid_from)
    said = memory.evidence if memory.valid_to is None else memory.evidence[:1]
    statements = [
        derive(
            Statement,
            evidence,
            first,
            valid_from=memory.valid_from if place == 0 else max(memory.valid_from, evidence.said_at),
        )
        for place, evidence in enumerate(said)
    ]
    return [
        SaveMemory(user=user, statement=one, memory_id=_id_of(memory, place))
        for place, one in enumerate(statements or [first])
    ]


def _id_of(memory: Memory, place: int) -> str:
    return memory.memory_id if place == 0 else f"{memory.memory_id[:_LONGEST_ID]}-{place}"
