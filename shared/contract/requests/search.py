"""Search in all that memory holds. The indexer answers."""

from datetime import datetime
from typing import Annotated, ClassVar, Final, get_args

import msgspec

from shared.contract.events import AnySessionId, Score, SourceKind, User
from shared.contract.requests.request import Request

Kind = SourceKind
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Speaker = Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="Who said it.")]


class Signal(msgspec.Struct, frozen=True):
    """One reason for a hit's place: its score is the sum of value times weight over all of them."""

    value: float
    """Of this message."""
    weight: float
    """The same for all messages."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that memory holds about the query."""

    kind: Kind
    """What it is. An imported message is a `turn` too: it was said in a turn elsewhere."""
    id: str
    """The id of the turn, the imported message, the memory or the page."""
    score: Score
    """0 to 1. Scores are comparable within one answer only."""
    text: str
    """What was found."""
    session_id: str
    """The conversation that it belongs to."""
    at: datetime
    """When it was said."""
    message_ids: list[str] = []
    """The messages that the hit stands on, best first. Of a turn: `<turn_id>:user` and
    `<turn_id>:assistant`."""
    highlights: list[str] = []
    """Sentences of the text that share words with the query, best first."""
    speaker: str = ""
    """Who said the best of the messages. Of a page: its domain."""
    turn_id: str | None = None
    """The turn, where it comes from one."""
    turn_number: int | None = None
    """The number of that turn."""
    input: str = ""
    """Of a turn: what the user said."""
    output: str = ""
    """Of a turn: what was answered."""
    quoted: bool = False
    """True where the output only repeats its sources."""
    similarity: float = 0.0
    """Cosine of the query and the best message, -1 to 1. 0 where only words found it."""
    words: float = 0.0
    """BM25 of the query and the best message. 0 where only meaning found it."""
    url: str = ""
    """The address of a page."""
    outdated: list[str] = []
    """Words of it that are outdated, as a newer memory knows: "I live in Lisbon", once it is Porto."""
    abandoned: bool = False
    """True where its session goes on without it, as after an edit: found only where asked for."""
    explain: dict[str, Signal] | None = None
    """Where `explain` was asked for: every signal of the best message, by its name."""


class SearchReply(msgspec.Struct, frozen=True, kw_only=True):
    hits: list[Hit]
    """Best first."""


class Search(Request[SearchReply], frozen=True, kw_only=True):
    """anyone, orchestrator -> indexer: what does memory hold about this?"""

    subject: ClassVar[str] = "index.search"

    user: User
    query: str
    """What to look for."""
    limit: int = 10
    """Most hits, 1 to 100."""
    kinds: list[Kind] = msgspec.field(default_factory=lambda: list(KINDS))
    """What to look among."""
    session_id: AnySessionId | None = None
    """Only in this conversation."""
    speaker: Speaker | None = None
    """Only what this speaker said, in any case. In turns: `user` and `assistant`."""
    since: datetime | None = None
    """Only what was said then or later."""
    until: datetime | None = None
    """Only what was said until then."""
    explain: bool = False
    """Asks for each hit with all its signals."""
    without_echoes: bool = False
    """Leaves out questions whose answer only quoted other turns: they know nothing of their own."""
    abandoned: bool = False
    """True: also turns that their session goes on without, as after an edit."""
    highlights: bool = True
    """False: hits without `highlights`, which take time to find."""
