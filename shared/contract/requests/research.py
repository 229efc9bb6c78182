"""Pages that were fetched, how reliable domains are, and what turns took. The indexer answers."""

from datetime import date, datetime
from typing import ClassVar, Final, Literal

import msgspec

from shared.contract.events import Domain, TurnId, Url, User
from shared.contract.requests.request import Request

MOST_DOMAINS: Final = 100
MOST_DAYS: Final = 366
FigureName = Literal[
    "turn_seconds",
    "first_token_seconds",
    "phase_seconds",
    "calls",
    "retries",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "quality",
]
"""What is counted of a turn, or of each of its phases."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page that was fetched before."""

    research_id: str
    """The page's own id."""
    url: str
    """Where it was fetched from."""
    domain: str
    """Its host."""
    title: str
    """Its title; may be empty."""
    text: str
    """What a reader reads, without markup. All of it."""
    primary_topic: str
    """What was looked for."""
    quality_overall: float
    """How good the page is, 0 to 1."""
    confidence_current: float
    """How sure it is that the page still holds, 0 to 1."""
    fetched_at: datetime
    """When it was read."""
    expires_at: datetime
    """Until then search finds it."""
    published_at: datetime | None = None
    """When it was published, as the page says."""
    content_types: list[str] = []
    """What it has, such as `article`, `table` or `price`."""
    doc_path: str | None = None
    """The turn's document that tells of it."""
    turn_id: str | None = None
    """The turn that fetched it."""
    turn_number: int | None = None
    """The number of that turn."""
    similarity: float = 0.0
    """Cosine of the query and the best part of the page. 1 where address or topic are the very same."""
    reliability: float = 0.5
    """Of its domain."""


class FreshResearchReply(msgspec.Struct, frozen=True, kw_only=True):
    pages: list[Page]
    """Best first. Of one address the latest page alone."""


class FreshResearch(Request[FreshResearchReply], frozen=True, kw_only=True):
    """anyone, orchestrator -> indexer: what was fetched of this address, or about this, and has not expired?

    Ask before fetching: [research.md](research.md). Refused with 422 where neither `query` nor `url` is
    given, or both.
    """

    subject: ClassVar[str] = "index.research.fresh"

    user: User
    query: str = ""
    """What is looked for: pages of this very topic, and pages that are like it."""
    url: Url | None = None
    """The page at this address."""
    limit: int = 5
    """Most pages, 1 to 20. Fewer come where their texts are too long for one answer."""
    least_similarity: float = 0.5
    """Of a query: pages on another topic that are less alike are left out."""


class ListResearchReply(msgspec.Struct, frozen=True, kw_only=True):
    pages: list[Page]
    """By `research_id`. `similarity` is 0."""
    more: bool
    """True where more come after the last one here."""


class ListResearch(Request[ListResearchReply], frozen=True, kw_only=True):
    """anyone -> indexer: every page that was fetched for a user, by id, a part at a time.

    Expired pages are among them, until their rows go.
    """

    subject: ClassVar[str] = "index.research"

    user: User
    after: str = ""
    """The `research_id` of the last one of the answer before."""


class PageReply(msgspec.Struct, frozen=True, kw_only=True):
    page: Page
    """Its `similarity` is 0."""


class GetPage(Request[PageReply], frozen=True, kw_only=True):
    """anyone -> indexer: this page of a user, with its whole text.

    An expired page as well, until its row goes. Refused with 404 where the user has no such page.
    """

    subject: ClassVar[str] = "index.research.get"

    user: User
    research_id: TurnId
    """The page's own id."""


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a domain did so far, over all users."""

    domain: str
    """The host, in lower case."""
    success_count: int = 0
    """Pages that it gave."""
    failure_count: int = 0
    """Pages that it did not give."""
    last_success: datetime | None = None
    """When it gave one last."""
    last_failure: datetime | None = None
    """When it did not give one last."""
    reliability_score: float = 0.5
    """(successes + 1) / (all + 2): 0.5 where nothing is known."""
    notes: dict[str, str] = {}
    """`last_reason`: the reason of the last failure."""


class SourcesReply(msgspec.Struct, frozen=True, kw_only=True):
    sources: list[SourceRow]
    """One for each domain that was asked for, in that order."""


class GetSources(Request[SourcesReply], frozen=True, kw_only=True):
    """anyone -> indexer: how reliable are these domains?

    Counted over all users. Only domains that the request names are answered.
    """

    subject: ClassVar[str] = "index.sources"

    domains: list[Domain]
    """1 to 100."""


class ObservedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one day, over all users."""

    day: date
    """In UTC, by when turns were saved."""
    name: str
    """`phase_seconds`, `output_tokens`, `quality` ..."""
    recipe: str = ""
    """The recipe of the turns."""
    phase: str = ""
    """The phase. Empty: the whole turn."""
    role: str = ""
    """The role that a model was asked in."""
    model: str = ""
    """The model that answered."""
    count: int
    """Turns, or phases."""
    sum: float
    """Of all values."""
    p50: float
    """The middle value, to within 8 percent."""
    p95: float
    """95 percent of the values are not above it, to within 8 percent."""


class ObservabilityReply(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[ObservedRow]
    """The latest day first, then by name. [research.md](research.md#observability) lists the names."""


class GetObservability(Request[ObservabilityReply], frozen=True, kw_only=True):
    """anyone -> indexer: how long did turns and phases take, and what did they cost, by day?

    Over all users, numbers only.
    """

    subject: ClassVar[str] = "index.observability"

    days: int = 7
    """Today, in UTC, and the days before: 1 to 366."""
    name: FigureName | None = None
    """One figure alone."""
