"""index.research, index.sources, index.observability: pages, domains, and what the work took."""

from datetime import date, datetime
from typing import ClassVar, Final, Literal

import msgspec

from shared.events import Domain, TurnId, Url, User
from shared.replies.request import Request

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
    """A page that was fetched before and has not expired."""

    research_id: str
    url: str
    domain: str
    title: str
    text: str
    primary_topic: str
    quality_overall: float
    confidence_current: float
    fetched_at: datetime
    expires_at: datetime
    published_at: datetime | None = None
    content_types: list[str] = []
    doc_path: str | None = None
    turn_id: str | None = None
    """The turn that fetched it."""
    turn_number: int | None = None
    similarity: float = 0.0
    """Cosine of the query and the best part of the page; 1 where address or topic are the very same."""
    reliability: float = 0.5
    """Of its domain."""


class FreshResearchReply(msgspec.Struct, frozen=True, kw_only=True):
    pages: list[Page]


class FreshResearch(Request[FreshResearchReply], frozen=True, kw_only=True):
    """anyone -> indexer: what was fetched of this address, or about this, and has not expired, best first?"""

    subject: ClassVar[str] = "index.research.fresh"

    user: User
    query: str = ""
    """What is looked for; either this or `url`."""
    url: Url | None = None
    limit: int = 5
    least_similarity: float = 0.5
    """Of a query: pages on another topic that are less alike are left out."""


class ListResearchReply(msgspec.Struct, frozen=True, kw_only=True):
    pages: list[Page]
    more: bool
    """True where there are more behind the last one here."""


class ListResearch(Request[ListResearchReply], frozen=True, kw_only=True):
    """anyone -> indexer: every page that is held of a user, by id, a page of them at a time.

    Those that have expired as well, until their rows go.
    """

    subject: ClassVar[str] = "index.research"

    user: User
    after: str = ""
    """The `research_id` of the last one of the answer before."""


class PageReply(msgspec.Struct, frozen=True, kw_only=True):
    page: Page


class GetPage(Request[PageReply], frozen=True, kw_only=True):
    """anyone -> indexer: this page of a user, with its whole text; one that has expired as well.

    Refused with 404 where the user has no such page.
    """

    subject: ClassVar[str] = "index.research.get"

    user: User
    research_id: TurnId


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a domain did so far, over all users."""

    domain: str
    success_count: int = 0
    failure_count: int = 0
    last_success: datetime | None = None
    last_failure: datetime | None = None
    reliability_score: float = 0.5
    """(successes + 1) / (all + 2): 0.5 where nothing is known."""
    notes: dict[str, str] = {}
    """`last_reason`: of the last failure."""


class SourcesReply(msgspec.Struct, frozen=True, kw_only=True):
    sources: list[SourceRow]
    """One for each that was asked for, in that order."""


class GetSources(Request[SourcesReply], frozen=True, kw_only=True):
    """anyone -> indexer: how reliable are these domains?"""

    subject: ClassVar[str] = "index.sources"

    domains: list[Domain]


class ObservedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one day, over all users."""

    day: date
    """In UTC, by when turns were saved."""
    name: str
    """`phase_seconds`, `output_tokens`, `quality` ..."""
    recipe: str = ""
    phase: str = ""
    """Empty: of the whole turn."""
    role: str = ""
    model: str = ""
    count: int
    sum: float
    p50: float
    """To within 8 percent, as is p95."""
    p95: float


class ObservabilityReply(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[ObservedRow]
    """The latest day first."""


class GetObservability(Request[ObservabilityReply], frozen=True, kw_only=True):
    """anyone -> indexer: how long did turns and phases take, and what did they cost, by day?"""

    subject: ClassVar[str] = "index.observability"

    days: int = 7
    """Today and those before."""
    name: FigureName | None = None
    """One figure alone."""
