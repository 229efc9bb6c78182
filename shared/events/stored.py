"""Facts on JetStream streams. Each class names its subject and version."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.events.names import (
    LOCAL_USER,
    IfBusy,
    PhaseTiming,
    SessionId,
    Source,
    Timings,
    TurnId,
    Usage,
    User,
    WhyCancelled,
)
from shared.memories import MemoryId, Statement


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact on a stream. Subclasses name their subject; `message_id` is never random."""

    subject: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def ce_type(cls) -> str:
        return f"pandora.{cls.subject}.v{cls.version}"

    @classmethod
    def ce_dataschema(cls) -> str:
        return f"/schemas/{cls.subject}/v{cls.version}"

    @property
    def about(self) -> str:
        """The id of what it happened to."""
        raise NotImplementedError  # Each family of events says it: a struct can have no abstract members.

    @property
    def message_id(self) -> str:
        return f"{self.about}:{self.subject}"


class TurnEvent(Event, frozen=True, kw_only=True):
    """Something that happened to a turn."""

    turn_id: TurnId

    @property
    def about(self) -> str:
        return self.turn_id


class TurnRequested(TurnEvent, frozen=True, kw_only=True):
    """anyone -> orchestrator: a user said something and wants an answer."""

    subject: ClassVar[str] = "turn.requested"

    session_id: SessionId
    input: str
    user: User = LOCAL_USER
    recipe: str = "direct"
    model: str | None = None
    if_busy: IfBusy = "enqueue"
    metadata: dict[str, str] = {}


class TurnSaved(TurnEvent, frozen=True, kw_only=True):
    """orchestrator -> indexer, anyone: the turn is written down; this is all that an index needs of it."""

    subject: ClassVar[str] = "turn.saved"

    turn_number: int
    session_id: SessionId
    user: User
    input: str
    output: str
    recipe: str
    model: str
    topic: str
    intent: str
    keywords: list[str]
    quality: float
    turn_dir: str
    requested_at: datetime
    saved_at: datetime
    sources: list[Source] = []
    usage: Usage = Usage()
    timings: Timings = Timings()
    quoted: bool = False
    """True when the output only repeats its sources (extractive engine): it adds nothing new to memory."""
    metadata: dict[str, str] = {}
    last_index: int = 0
    """The index of the turn's last live event."""
    phases: list[PhaseTiming] = []
    """In the order in which they ran; those that were left out are not in it."""


class TurnFailed(TurnEvent, frozen=True, kw_only=True):
    """orchestrator -> anyone: the turn ended without an answer, and why."""

    subject: ClassVar[str] = "turn.failed"

    turn_number: int
    session_id: SessionId
    user: User
    reason: str
    detail: str
    failed_at: datetime


class TurnCancelled(TurnEvent, frozen=True, kw_only=True):
    """orchestrator -> indexer, anyone: stopped on request; what was generated is kept."""

    subject: ClassVar[str] = "turn.cancelled"

    turn_number: int
    session_id: SessionId
    user: User
    cancelled_at: datetime
    requested_at: datetime | None = None
    why: WhyCancelled = "cancelled"
    """Where it was replaced, the session goes on as if the turn had never been."""
    input: str = ""
    output: str = ""
    """What was generated until then."""
    recipe: str = ""
    model: str = ""


class TurnIndexed(TurnEvent, frozen=True, kw_only=True):
    """indexer -> anyone: search finds the turn from now on."""

    subject: ClassVar[str] = "turn.indexed"

    turn_number: int
    session_id: SessionId
    user: User
    indexed_at: datetime


class MemoryEvent(Event, frozen=True, kw_only=True):
    """Somebody states what shall last beyond the turn."""

    memory_id: MemoryId
    """The statement's own: the same id is the same statement, however often it comes."""
    user: User
    statement: Statement

    @property
    def about(self) -> str:
        return self.memory_id


class MemorySaved(MemoryEvent, frozen=True, kw_only=True):
    """anyone -> indexer: remember this."""

    subject: ClassVar[str] = "memory.saved"


class MemoryExtracted(MemoryEvent, frozen=True, kw_only=True):
    """orchestrator -> indexer: a saved turn says this, as the reflector reads it."""

    subject: ClassVar[str] = "memory.extracted"


ForgetScope = Literal["turn", "session", "memory", "user"]


class ForgetRequested(Event, frozen=True, kw_only=True):
    """anyone -> orchestrator: what has to be forgotten, in every store and for good."""

    subject: ClassVar[str] = "forget.requested"

    forget_id: TurnId
    user: User
    scope: ForgetScope
    target: str = ""
    """The id of the turn, session or memory; empty for `user`: all that is held of the user."""
    requested_at: datetime
    """Turns that began later are kept."""

    @property
    def about(self) -> str:
        return self.forget_id


STORED_EVENTS: tuple[type[Event], ...] = (
    TurnRequested,
    TurnSaved,
    TurnFailed,
    TurnCancelled,
    TurnIndexed,
    MemorySaved,
    MemoryExtracted,
    ForgetRequested,
)
