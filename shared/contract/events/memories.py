"""What is stated to last beyond turns, on the stream MEMORIES. Message id: `<memory_id>:<subject>`.

[memories.md](memories.md) tells what becomes of a statement.
"""

from typing import ClassVar

from shared.contract.events.event import Event
from shared.contract.events.ids import User
from shared.contract.memories import MemoryId, Statement


class MemoryEvent(Event, frozen=True, kw_only=True):
    """A statement that shall last beyond its turn."""

    memory_id: MemoryId
    """The statement's own id: the same id is the same statement, however often it comes."""
    user: User
    statement: Statement
    """What is stated."""

    @property
    def about(self) -> str:
        return self.memory_id


class MemorySaved(MemoryEvent, frozen=True, kw_only=True):
    """anyone -> indexer: remember this."""

    subject: ClassVar[str] = "memory.saved"


class MemoryExtracted(MemoryEvent, frozen=True, kw_only=True):
    """orchestrator -> indexer: a saved turn says this, as the reflector reads it.

    The id is the same for the same turn, however often it is read.
    """

    subject: ClassVar[str] = "memory.extracted"
