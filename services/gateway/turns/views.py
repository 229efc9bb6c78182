"""The shapes of turns over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from services.gateway.turns.content import Content
from shared.contract.derivation import derive
from shared.contract.events import (
    ClientTools,
    Follows,
    IfBusy,
    PhaseTiming,
    SeenImage,
    SessionId,
    Source,
    Timings,
    TurnRequested,
    Usage,
    WhyCancelled,
)
from shared.contract.requests import TurnRecord, TurnRow, TurnStatus

Metadata = Annotated[dict[str, str], msgspec.Meta(max_length=32, description="up to 32 strings of one's own")]


class NewTurn(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a user says."""

    input: Annotated[Content, msgspec.Meta(description="words, or parts: input_text and input_image")]
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
    follows: Annotated[
        Follows,
        msgspec.Meta(
            description="the number of the turn of the session that this one goes on from, 0: from none; "
            "those after that one are abandoned. null: it goes on from the last turn"
        ),
    ] = None
    tools: Annotated[
        ClientTools,
        msgspec.Meta(
            description="what the client can do for the turn, where its recipe has `client_tools`. A call "
            "comes as `tool.waiting`, and is answered by `POST /v1/turns/{id}/result`"
        ),
    ] = []


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
    follows: Follows = None


class TurnList(msgspec.Struct, kw_only=True, frozen=True):
    turns: list[TurnRow]
    next_cursor: str | None


class DocumentLink(msgspec.Struct, kw_only=True, frozen=True):
    name: str
    href: str


class DocumentList(msgspec.Struct, kw_only=True, frozen=True):
    documents: list[DocumentLink]


def links_of(turn_id: str) -> Links:
    own = f"/v1/turns/{turn_id}"
    return Links(own, f"{own}/events", f"{own}/documents")


def accepted_view(turn: TurnRequested, number: int) -> AcceptedTurn:
    return AcceptedTurn(
        id=turn.turn_id,
        turn_number=number,
        session_id=turn.session_id,
        status="queued",
        links=links_of(turn.turn_id),
    )


def view_of_record(record: TurnRecord) -> TurnView:
    return derive(
        TurnView,
        record,
        id=record.turn_id,
        links=links_of(record.turn_id),
        # Empty is how the record says that there is none.
        recipe_version=record.recipe_version or None,
        notes=record.notes or None,
        model=record.model or None,
    )


def server_timing(turn: TurnView) -> str:
    """Returns what each phase took, in milliseconds, as browsers show it (W3C Server Timing)."""
    parts = [(phase.phase, phase.seconds) for phase in turn.phases or ()]
    if turn.timings is not None:
        parts.append(("total", turn.timings.total_seconds))
    return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in parts)
