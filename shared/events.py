"""Every event that crosses the bus, one frozen class each.

Two families:

* *Stored events* are facts on a JetStream stream (`turn.saved`). Their class names its subject and version;
  `ce_type` and `ce_dataschema` are the CloudEvents attributes that travel in the headers.
* *Live events* are what a reader of one turn sees on `turn.stream.<turn_id>`. They are a union tagged by
  `type`, and each carries the turn's own running `index`, so that a reader can join at any point.

Readers ignore fields that they do not know; a missing required field is `Poison`. A change that breaks an
old reader takes a new version, never a changed meaning (the golden files in tests/contracts hold us to it).
"""

from collections.abc import Hashable, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

import msgspec

from shared.errors import Poison
from shared.memories import MemoryId, Statement

# The lookahead refuses a final newline, which `$` alone lets pass in Python; ids become parts of subjects.
TurnId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)", description="A UUIDv7 as text.")]
SESSION_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$(?!\n)"
SessionId = Annotated[str, msgspec.Meta(pattern=SESSION_PATTERN)]
ANY_SESSION_PATTERN = r"^[^\x00-\x1f\x7f]{1,128}$(?!\n)"
AnySessionId = Annotated[str, msgspec.Meta(pattern=ANY_SESSION_PATTERN)]
"""Imported sessions keep the names that they had elsewhere."""
User = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.@-]{1,64}$(?!\n)")]
Score = float

IfBusy = Literal["enqueue", "reject", "interrupt", "replace"]
"""What a new turn does while another turn of its session runs: wait, not run at all, stop the other and keep
its partial answer in the session, or stop it and drop it from the session."""
SourceKind = Literal["turn", "memory", "research", "content"]
WhyCancelled = Literal["cancelled", "interrupted", "replaced"]

LOCAL_USER = "local"
"""The one user of an installation without keys."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is known from: a turn, an imported message, a memory."""

    kind: SourceKind = "turn"
    id: str = ""
    """As in a search's hit."""
    turn_id: str | None = None
    turn_number: int | None = None
    message_ids: list[str] = []
    """Best first."""
    session_id: str = ""
    speaker: str = ""
    """Who said it, of an imported message."""
    at: datetime | None = None

    @property
    def name(self) -> str:
        """Short, for people and models: `turn 12`; `Caroline, 8 May 2023`; `memory`."""
        if self.turn_number is not None:
            return f"turn {self.turn_number}"
        said = self.speaker or self.kind
        return said if self.at is None else f"{said}, {self.at.day} {self.at:%B %Y}"


class Source(Origin, frozen=True, kw_only=True):
    """Something that an answer stands on, with the words that were used: mostly an earlier turn."""

    score: Score
    quote: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one turn, counted by the engine."""

    input_tokens: int = 0
    output_tokens: int = 0


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the moment the orchestrator took the turn."""

    gather_seconds: float = 0.0
    first_token_seconds: float = 0.0
    total_seconds: float = 0.0


# --- stored events -----------------------------------------------------------------------------------------


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
        raise NotImplementedError

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


# --- live events -------------------------------------------------------------------------------------------


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """orchestrator, inference -> gateway, anyone: one step of one turn, on `turn.stream.<turn_id>`."""

    index: int
    """Position in the turn, from 0, without gaps."""
    attempt: int = 1
    """Rises when the turn is run again. What an earlier attempt still sends behind a later one is void."""

    @property
    def type(self) -> str:
        return str(self.__struct_config__.tag)


class Queued(LiveEvent, frozen=True, kw_only=True, tag="turn.queued"):
    """Index 0: the turn is accepted. Again whenever the place of a waiting turn has changed.

    Names the turn's owner, so that a gateway knows who may read on.
    """

    turn_id: str
    turn_number: int
    session_id: str
    user: str
    position: int = 0
    """Turns that go before this one, of all users; 0 also where that is not known yet."""
    estimate_seconds: float = 0.0
    """Until it begins, by what the last turns took; 0 where nothing is known."""


class PhaseStarted(LiveEvent, frozen=True, kw_only=True, tag="phase.started"):
    phase: str


class PhaseEnded(LiveEvent, frozen=True, kw_only=True, tag="phase.ended"):
    phase: str
    seconds: float


class SourcesFound(LiveEvent, frozen=True, kw_only=True, tag="turn.sources"):
    sources: list[Source]
    degraded: list[str] = []
    """What could not be asked: `memory` while the indexer or one of its stores is away."""


class Steered(LiveEvent, frozen=True, kw_only=True, tag="turn.steered"):
    """A message that was added to the running turn."""

    text: str
    takes_effect: str
    """The phase that is the first to know of it."""


class OutputDelta(LiveEvent, frozen=True, kw_only=True, tag="output.delta"):
    text: str
    """One or more tokens; the deltas of a turn joined are its output."""


class OutputRestarted(LiveEvent, frozen=True, kw_only=True, tag="output.restarted"):
    """The turn begins anew: what was sent of its output before is void."""


class Saved(LiveEvent, frozen=True, kw_only=True, tag="turn.saved"):
    turn_id: str
    turn_number: int
    session_id: str
    output: str
    sources: list[Source]
    usage: Usage
    model: str


class Failed(LiveEvent, frozen=True, kw_only=True, tag="turn.failed"):
    turn_id: str
    turn_number: int
    session_id: str
    reason: str
    detail: str


class Cancelled(LiveEvent, frozen=True, kw_only=True, tag="turn.cancelled"):
    turn_id: str
    turn_number: int
    session_id: str
    why: WhyCancelled = "cancelled"
    output: str = ""
    """What was generated until then."""


AnyLiveEvent = (
    Queued
    | PhaseStarted
    | PhaseEnded
    | SourcesFound
    | Steered
    | OutputDelta
    | OutputRestarted
    | Saved
    | Failed
    | Cancelled
)
LIVE_EVENTS: tuple[type[LiveEvent], ...] = get_args(AnyLiveEvent)
LAST_EVENTS = (Saved, Failed, Cancelled)
"""One of these ends every turn's stream."""


def output_of(events: Sequence[AnyLiveEvent]) -> str:
    """The text so far, without what a restart has made void."""
    texts: list[str] = []
    for event in events:
        if isinstance(event, OutputDelta):
            texts.append(event.text)
        elif isinstance(event, OutputRestarted):
            texts.clear()
    return "".join(texts)


def live_subject(turn_id: str) -> str:
    return f"turn.stream.{turn_id}"


def joining_subject(turn_id: str) -> str:
    """Stored as if it were sent on `live_subject`, and heard by nobody: for what may still be refused."""
    return f"turn.join.{turn_id}"


# --- bytes -------------------------------------------------------------------------------------------------

T = TypeVar("T")
_encoder = msgspec.json.Encoder()
_live_decoder = msgspec.json.Decoder(AnyLiveEvent)


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a body that is not what it should be, or is nested deeper than it follows."""


def encode(value: object) -> bytes:
    return _encoder.encode(value)


@cache
def _decoder_of(kind: Hashable) -> msgspec.json.Decoder[Any]:
    """Kept: for a union msgspec.json.decode would read the types anew with each message."""
    return msgspec.json.Decoder(kind)


def decode(kind: type[T], body: bytes) -> T:
    """Raises Poison with the field that is wrong; an event that cannot be read now can never be read."""
    try:
        value: T = _decoder_of(kind).decode(body)  # type: ignore[arg-type]  # every type is hashable
    except UNREADABLE as error:
        raise Poison(f"not a valid {kind.__name__}: {error}") from error
    return value


def decode_live(body: bytes) -> AnyLiveEvent:
    """Raises Poison as `decode` does."""
    try:
        event: AnyLiveEvent = _live_decoder.decode(body)
    except UNREADABLE as error:
        raise Poison(f"not a live event: {error}") from error
    return event
