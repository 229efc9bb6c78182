"""The shapes of the HTTP API."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from services.gateway.domain.content import Content
from shared.events import (
    AnySessionId,
    IfBusy,
    PhaseTiming,
    SeenImage,
    SessionId,
    Source,
    Timings,
    Usage,
    User,
    WhyCancelled,
)
from shared.replies import KINDS, Hit, Kind, SessionRow, Speaker, TurnRecord, TurnRow, TurnStatus

Metadata = Annotated[dict[str, str], msgspec.Meta(max_length=32, description="up to 32 strings of one's own")]


class NewTurn(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a user says."""

    input: Annotated[
        Content, msgspec.Meta(description="words, or parts: input_text, and input_image beside them")
    ]
    session_id: SessionId | None = None
    recipe: str = ""
    model: str | None = None
    if_busy: Annotated[
        IfBusy,
        msgspec.Meta(
            description="while another turn of the session runs: wait for it (enqueue), be refused (reject), "
            "stop it and keep its partial answer (interrupt), or stop it and drop it (replace)"
        ),
    ] = "enqueue"
    on_disconnect: Annotated[
        Literal["continue", "cancel"],
        msgspec.Meta(description="what happens to the turn when this request's own stream is left early"),
    ] = "continue"
    metadata: Metadata = {}


class NewSteering(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a user adds to a turn that runs."""

    text: Annotated[str, msgspec.Meta(min_length=1)]


class NewAnswer(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a user says of a tool call that waits."""

    call: Annotated[
        str, msgspec.Meta(max_length=200, description="the key in `tool.waiting`; empty: all that wait")
    ] = ""


class Links(msgspec.Struct, frozen=True):
    self: str
    events: str
    documents: str


class AcceptedTurn(msgspec.Struct, kw_only=True, frozen=True):
    """The turn is stored and will be answered."""

    id: str
    turn_number: int
    session_id: str
    status: TurnStatus
    links: Links


class TurnView(msgspec.Struct, kw_only=True, frozen=True):
    """A turn, whatever its state. `output` grows while it runs."""

    id: str
    turn_number: int
    session_id: str
    status: TurnStatus
    input: str
    output: str
    sources: list[Source]
    usage: Usage
    links: Links
    recipe: str | None = None
    recipe_version: str | None = None
    phases: list[PhaseTiming] | None = None
    notes: list[str] | None = None
    model: str | None = None
    timings: Timings | None = None
    topic: str | None = None
    intent: str | None = None
    keywords: list[str] = []
    quality: float | None = None
    error: str | None = None
    metadata: dict[str, str] = {}
    requested_at: datetime | None = None
    ended_at: datetime | None = None
    position: int | None = None
    """Turns that go before this one while it is queued."""
    estimate_seconds: float | None = None
    """Until it begins, by what the last turns took."""
    attempt: int | None = None
    """Runs that an ended turn took."""
    why_cancelled: WhyCancelled | None = None
    steering: list[str] = []
    """What was added while it ran."""
    images: list[SeenImage] = []


class TurnList(msgspec.Struct, kw_only=True, frozen=True):
    turns: list[TurnRow]
    next_cursor: str | None


class SessionList(msgspec.Struct, kw_only=True, frozen=True):
    sessions: list[SessionRow]


_Since = Annotated[str, msgspec.Meta(description="ISO 8601, without a zone UTC; a date alone: its beginning")]
_Until = Annotated[str, msgspec.Meta(description="ISO 8601, without a zone UTC; a date alone: its end")]


class NewSearch(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    kinds: Annotated[list[Kind], msgspec.Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: list(KINDS)
    )
    session_id: AnySessionId | None = None
    speaker: Annotated[Speaker | None, msgspec.Meta(description="who said it, in any case")] = None
    since: _Since | None = None
    until: _Until | None = None
    explain: Annotated[
        bool, msgspec.Meta(description="each hit with every signal that gave it its place")
    ] = False
    user: Annotated[User | None, msgspec.Meta(description="whose memory; for admins")] = None


class SearchResult(msgspec.Struct, kw_only=True, frozen=True):
    hits: list[Hit]


class BadLineView(msgspec.Struct, kw_only=True, frozen=True):
    line: int
    """Its number in the body, from 1."""
    reason: str


class Imported(msgspec.Struct, kw_only=True, frozen=True):
    """What became of the lines of an import: each good one is stored, and search finds it."""

    lines: int
    """That are not blank: the new, the changed, the known and the bad ones."""
    new: int
    changed: int
    """Known by their id, and now with another text."""
    known: int
    bad: list[BadLineView]
    """The first 1,000."""
    bad_lines: int


class DocumentLink(msgspec.Struct, kw_only=True, frozen=True):
    name: str
    href: str


class DocumentList(msgspec.Struct, kw_only=True, frozen=True):
    documents: list[DocumentLink]


class ProblemDetails(msgspec.Struct, kw_only=True, frozen=True):
    """RFC 9457. `field` names the part of the request that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    turn_id: str | None = None
    """The turn that is in the way."""
    request_id: str | None = None


def links_of(turn_id: str) -> Links:
    own = f"/v1/turns/{turn_id}"
    return Links(own, f"{own}/events", f"{own}/documents")


def view_of_record(record: TurnRecord) -> TurnView:
    return TurnView(
        id=record.turn_id,
        turn_number=record.turn_number,
        session_id=record.session_id,
        status=record.status,
        input=record.input,
        output=record.output,
        sources=record.sources,
        usage=record.usage,
        links=links_of(record.turn_id),
        recipe=record.recipe,
        recipe_version=record.recipe_version or None,
        phases=record.phases,
        notes=record.notes or None,
        model=record.model or None,
        timings=record.timings,
        topic=record.topic,
        intent=record.intent,
        keywords=record.keywords,
        quality=record.quality,
        error=record.error,
        metadata=record.metadata,
        requested_at=record.requested_at,
        ended_at=record.ended_at,
        attempt=record.attempt,
        why_cancelled=record.why_cancelled,
        steering=record.steering,
        images=record.images,
    )


def server_timing(turn: TurnView) -> str:
    """What each phase took, in milliseconds, as browsers show it (W3C Server Timing)."""
    parts = [(phase.phase, phase.seconds) for phase in turn.phases or ()]
    if turn.timings is not None:
        parts.append(("total", turn.timings.total_seconds))
    return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in parts)
