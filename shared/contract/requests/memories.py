"""Facts, preferences and notes that last beyond turns: [memories.md](memories.md). The indexer answers."""

from typing import Annotated, ClassVar

import msgspec

from shared.contract.events import User
from shared.contract.memories import (
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
from shared.contract.requests.request import Request


class SaveMemory(Request[Memory], frozen=True, kw_only=True):
    """anyone, orchestrator -> indexer: remember this, as the event `memory.saved`.

    The answer is the memory that the statement made, or confirmed.
    """

    subject: ClassVar[str] = "memories.save"

    user: User
    statement: Statement
    """What is stated."""
    memory_id: MemoryId | None = None
    """The same id again is the same statement; null: a new one."""


class MemoryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which memories. A condition that is left out lets all pass."""

    kinds: list[MemoryKind] = []
    """Of these kinds."""
    subject: Label | None = None
    """About this subject, in any case."""
    attribute: Label | None = None
    """Of this attribute."""
    as_of: Moment | None = None
    """Those that held then; null: those that hold now."""
    with_history: bool = False
    """Also memories that are outdated, or do not hold yet."""
    words: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """All of these words stand in the text, in any case."""


class ListMemoriesReply(msgspec.Struct, frozen=True, kw_only=True):
    memories: list[Memory]
    """By `valid_from`, the latest first."""
    next_cursor: str | None = None
    """Where the next page begins; null: there is none."""


class ListMemories(Request[ListMemoriesReply], frozen=True, kw_only=True):
    """anyone -> indexer: a user's memories, the latest first, a page at a time."""

    subject: ClassVar[str] = "memories.list"

    user: User
    where: MemoryFilter = MemoryFilter()
    """Which of them. Left out: all that hold now."""
    limit: int = 20
    """Most memories, 1 to 100."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


class GetMemory(Request[Memory], frozen=True, kw_only=True):
    """anyone -> indexer: one memory. Refused with 404 where the user has no such memory."""

    subject: ClassVar[str] = "memories.get"

    user: User
    memory_id: MemoryId
    """The id of the memory, or of any statement of it."""


class MemoryChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall change. What is left out or null stays, but for `valid_to`."""

    text: Text | None = None
    """What is known, in a sentence."""
    kind: MemoryKind | None = None
    """How fast it fades."""
    subject: Label | None = None
    """Whom or what it is about."""
    attribute: Label | None = None
    """What the value is: `home`, `employer`, `favourite colour` ..."""
    value: Value | None = None
    """The bare value."""
    confidence: Confidence | None = None
    """0 to 1, from now on."""
    valid_from: Moment | None = None
    """Since when it holds."""
    valid_to: Moment | msgspec.UnsetType | None = msgspec.UNSET
    """Until when it holds; null: it holds."""


class ChangeMemory(Request[Memory], frozen=True, kw_only=True):
    """anyone -> indexer: correct a memory. What was said, and when, stays in its evidence.

    Refused with 409 where `valid_to` is null and a newer memory has taken its place.
    """

    subject: ClassVar[str] = "memories.change"

    user: User
    memory_id: MemoryId
    """The id of the memory, or of any statement of it."""
    change: MemoryChange
    """What shall change."""


class MemoriesDeleted(msgspec.Struct, frozen=True, kw_only=True):
    memory_ids: list[str]
    """The memories that were there."""


class DeleteMemories(Request[MemoriesDeleted], frozen=True, kw_only=True):
    """anyone -> indexer: forget these memories.

    Their statements do not come back, however late they are delivered. What they had superseded holds again.
    """

    subject: ClassVar[str] = "memories.delete"

    user: User
    memory_ids: list[MemoryId]
    """1 to 100."""
