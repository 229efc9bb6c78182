"""Facts on JetStream streams. Each class names its subject and version."""

from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from shared.events.names import (
    LOCAL_USER,
    AnySessionId,
    Domain,
    FileId,
    IfBusy,
    PhaseTiming,
    SeenImage,
    SessionId,
    Source,
    Timings,
    TurnId,
    Url,
    Usage,
    User,
    WhyCancelled,
    said_with_images,
)
from shared.memories import Confidence, MemoryId, Moment, Statement

MOST_IMAGES: Final = 8
"""Of one turn."""


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
    recipe: str = ""
    """Empty: its session's, else the default one (DEFAULT_RECIPE)."""
    model: str | None = None
    if_busy: IfBusy = "enqueue"
    metadata: dict[str, str] = {}
    images: Annotated[list[FileId], msgspec.Meta(max_length=MOST_IMAGES)] = []
    """Files of the user (`file.put`), in the order in which they are shown."""


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
    images: list[SeenImage] = []

    @property
    def said(self) -> str:
        """What an index keeps of the user's words."""
        return said_with_images(self.input, self.images)


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
    images: list[SeenImage] = []

    @property
    def said(self) -> str:
        return said_with_images(self.input, self.images)


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


ResearchScope = Literal["user"]
"""Who finds it: the user it was fetched for."""


class ResearchSaved(Event, frozen=True, kw_only=True):
    """orchestrator -> indexer: a page was fetched and read; it is found until it expires."""

    subject: ClassVar[str] = "research.saved"

    research_id: TurnId
    """The same id is the same page; with a later `fetched_at` it takes the place of what was there."""
    user: User
    url: Url
    domain: Domain
    title: Annotated[str, msgspec.Meta(max_length=512)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=65_536)]
    """What a reader reads: no markup."""
    primary_topic: Annotated[str, msgspec.Meta(max_length=256)]
    """What was looked for."""
    quality_overall: Confidence
    confidence_current: Confidence
    fetched_at: Moment
    expires_at: Moment
    scope: ResearchScope
    published_at: Moment | None = None
    content_types: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=16)
    ] = []
    """What it has, such as `article`, `table` or `price`."""
    doc_path: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    """The turn's document that tells of it."""
    turn_id: TurnId | None = None
    """The turn that fetched it."""
    turn_number: int | None = None
    session_id: AnySessionId | None = None
    requested_at: Moment | None = None
    """When that turn was asked for: what is forgotten until a moment goes by it. None: by `fetched_at`."""

    @property
    def about(self) -> str:
        """As it was read then: a page that is fetched anew is another fact, however soon that is."""
        return f"{self.research_id}@{self.fetched_at.timestamp():.6f}"


class SourceObserved(Event, frozen=True, kw_only=True):
    """orchestrator -> indexer: a domain gave what was asked of it, or did not."""

    subject: ClassVar[str] = "source.observed"

    observation_id: TurnId
    """The same id is counted once."""
    user: User
    domain: Domain
    ok: bool
    at: Moment
    reason: Annotated[str, msgspec.Meta(max_length=128)] = ""
    """Why not: a few words such as `timeout` or `HTTP 503`, and nothing of the user's."""
    turn_id: TurnId | None = None

    @property
    def about(self) -> str:
        return self.observation_id


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
    ResearchSaved,
    SourceObserved,
    ForgetRequested,
)
