"""Pages that were fetched, and how their sources did, on the stream RESEARCH: [research.md](research.md)."""

from typing import Annotated, ClassVar, Literal

import msgspec

from shared.contract.events.event import Event
from shared.contract.events.ids import AnySessionId, Domain, TurnId, Url, User
from shared.contract.memories import Confidence, Moment

ResearchScope = Literal["user"]


class ResearchSaved(Event, frozen=True, kw_only=True):
    """orchestrator -> indexer: a page was fetched and read. Search finds it until it expires.

    Message id: `<research_id>@<fetched_at in seconds since 1970>:research.saved`. A page that is fetched
    again is another fact: the same id with a later `fetched_at` takes the place of the earlier page.
    """

    subject: ClassVar[str] = "research.saved"

    research_id: TurnId
    """The page's own id. Best the same for the same user and address."""
    user: User
    url: Url
    domain: Domain
    title: Annotated[str, msgspec.Meta(max_length=512)]
    """Its title; may be empty."""
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=65_536)]
    """What a reader reads, without markup."""
    primary_topic: Annotated[str, msgspec.Meta(max_length=256)]
    """What was looked for."""
    quality_overall: Confidence
    """How good the page is."""
    confidence_current: Confidence
    """How sure it is that the page still holds."""
    fetched_at: Moment
    """When it was read."""
    expires_at: Moment
    """From then on no search finds it. Later than `fetched_at`."""
    scope: ResearchScope
    """Who finds it: `user` is the user that it was fetched for."""
    published_at: Moment | None = None
    """When it was published, as the page says."""
    content_types: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=16)
    ] = []
    """What it has, such as `article`, `table` or `price`."""
    doc_path: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    """The turn's document that tells of it."""
    turn_id: TurnId | None = None
    """The turn that fetched it. The page is forgotten with that turn."""
    turn_number: int | None = None
    """The number of that turn."""
    session_id: AnySessionId | None = None
    """The session of that turn."""
    requested_at: Moment | None = None
    """When that turn was asked for. What is forgotten until a moment goes by it; null: by `fetched_at`."""

    @property
    def about(self) -> str:
        """The page as it was read then: fetched again it is another fact, however soon that is."""
        return f"{self.research_id}@{self.fetched_at.timestamp():.6f}"


class SourceObserved(Event, frozen=True, kw_only=True):
    """orchestrator -> indexer: a domain gave what was asked of it, or did not.

    Message id: `<observation_id>:source.observed`. It is counted once, however often it comes.
    """

    subject: ClassVar[str] = "source.observed"

    observation_id: TurnId
    """The observation's own id: the same id is counted once."""
    user: User
    """The user that it was asked for. Not kept with the counts."""
    domain: Domain
    ok: bool
    """True where the domain gave a page."""
    at: Moment
    """When it was asked."""
    reason: Annotated[str, msgspec.Meta(max_length=128)] = ""
    """Why not: a few words such as `timeout` or `HTTP 503`, and nothing of the user's."""
    turn_id: TurnId | None = None
    """The turn that asked."""

    @property
    def about(self) -> str:
        return self.observation_id
