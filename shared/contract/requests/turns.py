"""Turns that have ended, as their documents tell them. The orchestrator answers."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.contract.events import (
    Follows,
    PhaseTiming,
    SeenImage,
    Source,
    Timings,
    TurnId,
    Usage,
    User,
    WhyCancelled,
    said_with_images,
)
from shared.contract.requests.request import Request

TurnStatus = Literal["queued", "running", "waiting", "saved", "failed", "cancelled"]


class TurnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that has ended, with everything that is kept of it.

    All other messages about an ended turn are selections of these fields (`shared/contract/derivation.py`).
    """

    turn_id: str
    """The turn's id. The gateway draws a UUIDv7 for each turn."""
    turn_number: int
    """Given once, by the stream that accepted the turn. It rises and is never used again."""
    session_id: str
    """The conversation that the turn belongs to."""
    user: str
    """The owner."""
    status: TurnStatus
    """How the turn ended."""
    input: str
    """What the user said."""
    output: str
    """What was answered."""
    recipe: str
    """The recipe that the turn ran by."""
    model: str
    """The model that answered."""
    requested_at: datetime
    """When the stream TURNS stored the turn."""
    ended_at: datetime
    """When the turn was saved, failed or stopped."""
    turn_dir: str
    """The turn's folder, like `000/turn_000742`; `turn_000742` of turns that earlier versions wrote."""
    recipe_version: str = ""
    """Of the files that the recipe and its roles were read from: the beginning of a hash."""
    phases: list[PhaseTiming] = []
    """What each phase took, in the order in which they ran. `save` is not among them."""
    notes: list[str] = []
    """Where a phase went on without a model's word, and why."""
    sources: list[Source] = []
    """What the answer stands on."""
    usage: Usage = Usage()
    """Tokens, counted by the engine."""
    timings: Timings = Timings()
    """Seconds from the moment at which an orchestrator took the turn."""
    topic: str = ""
    """The three heaviest keywords."""
    intent: str = ""
    """`question`, `greeting`, `request` or `statement`."""
    keywords: list[str] = []
    """The heaviest first."""
    quality: float = 0.0
    """0 to 1."""
    quoted: bool = False
    """True where the output only repeats its sources (engine `extractive`): it adds nothing new to memory."""
    error: str | None = None
    """`reason: detail`, where it failed."""
    why_cancelled: WhyCancelled | None = None
    """Where it was cancelled: as `why` in `turn.cancelled`."""
    steering: list[str] = []
    """What was added to the turn while it ran."""
    attempt: int = 1
    """Runs that the turn took."""
    metadata: dict[str, str] = {}
    """Texts of the client's own, kept with the turn."""
    last_index: int = 0
    """The index of the turn's last live event."""
    images: list[SeenImage] = []
    """The turn's images and what they show. An image that was not looked at says so."""
    follows: Follows = None
    """The number of the turn of its session that it goes on from; 0: from none. null: from the last one.
    A turn that the session's newest one does not go on from, over any number of turns, is abandoned."""


class TurnRow(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as the index lists it."""

    turn_id: str
    turn_number: int
    session_id: str
    at: datetime
    """When it was saved or stopped."""
    topic: str
    intent: str
    keywords: list[str]
    quality: float
    model: str
    recipe: str
    input: str
    output: str
    quoted: bool
    status: Literal["saved", "cancelled"] = "saved"
    """A cancelled turn is listed with what was generated until then, and search never finds it. Its topic,
    intent and keywords are empty, its quality is 0."""
    images: list[SeenImage] = []
    follows: Follows = None
    abandoned: bool = False
    """True where the session goes on without it, as after an edit: search does not find it."""

    @property
    def said(self) -> str:
        """The user's words, and what their images show."""
        return said_with_images(self.input, self.images)


class GetTurn(Request[TurnRecord], frozen=True, kw_only=True):
    """anyone -> orchestrator: an ended turn. Refused with 404 where the user has no such turn."""

    subject: ClassVar[str] = "turns.get"

    user: User
    turn_id: TurnId


class EventsReply(msgspec.Struct, frozen=True, kw_only=True):
    events: list[msgspec.Raw]
    """Live events as they were sent, by index. At most about 512 KiB of them."""
    more: bool
    """True where more come after the last one here: ask again with its index."""


class GetEvents(Request[EventsReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: every live event of an ended turn after `after`, a page at a time.

    Refused with 404 where the user has no such turn, or the turn has not ended. These events outlive the
    stream LIVE: they are the turn's document `events.jsonl`. Where a crash of the bus lost text that is
    void by now, an empty `output.delta` stands in its place. For a turn of the time before events were
    kept, four events tell the same story: queued, sources, one delta, the end. Their indexes have gaps.
    """

    subject: ClassVar[str] = "turns.events"

    user: User
    turn_id: TurnId
    after: int = -1
    """The last index that is known; -1: none."""


class RecipesReply(msgspec.Struct, frozen=True, kw_only=True):
    names: list[str]
    """The recipes that there are."""
    unapproved: list[str] = []
    """Those of them whose readers see an answer before validation has approved it: it may be revised."""
    client_tools: list[str] = []
    """Those of them that let the model call tools of the turn's client."""


class Recipes(Request[RecipesReply], frozen=True, kw_only=True):
    """anyone -> orchestrator: the recipes that a turn may name."""

    subject: ClassVar[str] = "turns.recipes"
