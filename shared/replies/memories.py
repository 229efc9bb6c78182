"""memories.*: what the indexer answers about facts, preferences and notes."""

from typing import Annotated, ClassVar

import msgspec

from shared.events import User
from shared.memories import (
    Confidence,
    Label,
    Memory,
    MemoryId,
    MemoryKind,
    Moment,
    Statement,
    Text,
    Value,
)
from shared.replies.request import Request


class SaveMemory(Request[Memory], frozen=True, kw_only=True):
    """anyone -> indexer: remember this; as the event `memory.saved`, with the memory for an answer."""

    subject: ClassVar[str] = "memories.save"

    user: User
    statement: Statement
    memory_id: MemoryId | None = None
    """Given again it is the same statement; None: a new one."""


class MemoryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which memories; left out, a condition lets all pass."""

    kinds: list[MemoryKind] = []
    subject: Label | None = None
    attribute: Label | None = None
    as_of: Moment | None = None
    """Those that held then; None: those that hold now."""
    with_history: bool = False
    """Also what holds no more, or not yet."""
    words: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """All of them stand in the text, in any case."""


class ListMemoriesReply(msgspec.Struct, frozen=True, kw_only=True):
    memories: list[Memory]
    next_cursor: str | None = None


class ListMemories(Request[ListMemoriesReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's memories, the latest first; `cursor` is the last page's `next_cursor`."""

    subject: ClassVar[str] = "memories.list"

    user: User
    where: MemoryFilter = MemoryFilter()
    limit: int = 20
    cursor: str | None = None


class GetMemory(Request[Memory], frozen=True, kw_only=True):
    """anyone -> indexer: one memory, by the id of any statement of it; 404 where the user has none."""

    subject: ClassVar[str] = "memories.get"

    user: User
    memory_id: MemoryId


class MemoryChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be otherwise; what is left out stays."""

    text: Text | None = None
    kind: MemoryKind | None = None
    subject: Label | None = None
    attribute: Label | None = None
    value: Value | None = None
    confidence: Confidence | None = None
    valid_from: Moment | None = None
    valid_to: Moment | msgspec.UnsetType | None = msgspec.UNSET
    """null: it holds."""


class ChangeMemory(Request[Memory], frozen=True, kw_only=True):
    """anyone -> indexer: correct a memory; what was said stays in its evidence."""

    subject: ClassVar[str] = "memories.change"

    user: User
    memory_id: MemoryId
    change: MemoryChange


class MemoriesDeleted(msgspec.Struct, frozen=True, kw_only=True):
    memory_ids: list[str]
    """Those that were there."""


class DeleteMemories(Request[MemoriesDeleted], frozen=True, kw_only=True):
    """anyone -> indexer: forget these; their statements do not come back, however late they are delivered."""

    subject: ClassVar[str] = "memories.delete"

    user: User
    memory_ids: list[MemoryId]
