"""The upkeep of what search finds, over all users. The indexer answers."""

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.contract.requests.request import Request
from shared.contract.requests.search import Kind


class Pong(msgspec.Struct, frozen=True):
    """The indexer and its stores answer."""


class Ping(Request[Pong], frozen=True):
    """anyone, orchestrator -> indexer: do you answer, and do PostgreSQL and Qdrant?

    For the readiness of other services.
    """

    subject: ClassVar[str] = "index.ping"


class CountReply(msgspec.Struct, frozen=True, kw_only=True):
    rows: int
    """Saved turns in PostgreSQL. A cancelled turn has a row too, and is counted only in an estimate."""
    messages: int = 0
    """Messages of turns and of imports, in PostgreSQL."""
    unindexed: int = 0
    """Messages that search does not find yet."""
    points: int
    """Points in Qdrant: one a message, several of a long one."""
    highest_turn_number: int
    """0 where there are no turns."""


class Count(Request[CountReply], frozen=True, kw_only=True):
    """anyone, orchestrator -> indexer: how much is stored, over all users (numbers only)."""

    subject: ClassVar[str] = "index.count"

    estimate: bool = False
    """True: at a cost that does not grow with the store. The numbers of a large one are close, not exact."""


class ReindexingReply(msgspec.Struct, frozen=True, kw_only=True):
    """How far the new collections are. The old ones answer until all of the new ones are ready."""

    running: bool
    """True while collections are built."""
    live: str
    """The generation that answers: its model, the version of what is made of a text, and a number."""
    model: str
    """Its embedding model."""
    engine: str = ""
    """What computes its vectors: a library, its version and the number format."""
    building: str = ""
    """The generation that is being built."""
    building_model: str = ""
    """Its embedding model."""
    kinds: list[Kind] = []
    """What is built again."""
    done: int = 0
    """Rows so far."""
    total: int = 0
    """Rows in all: messages, memories and pages."""
    started_at: datetime | None = None
    """When it was asked for."""


class Reindexing(Request[ReindexingReply], frozen=True, kw_only=True):
    """anyone -> indexer: is anything being built again, and how far is it?"""

    subject: ClassVar[str] = "index.reindexing"


class Reindex(Request[ReindexingReply], frozen=True, kw_only=True):
    """anyone -> indexer: make the vectors of these kinds again, next to those that answer, and then switch.

    The same request while it goes on changes nothing. Refused with 409 where other kinds are being built.
    """

    subject: ClassVar[str] = "index.reindex"

    kinds: list[Kind] = []
    """`turn`, `memory` or `research`. Empty: all."""


class CheckedKind(msgspec.Struct, frozen=True, kw_only=True):
    """Rows and points of one kind, compared with each other."""

    kind: Kind
    """Messages are of the kind `turn`."""
    rows: int
    """In PostgreSQL."""
    points: int
    """In Qdrant: one a row, several of a long one."""
    rows_without_points: int
    """Search does not find them."""
    points_without_rows: int
    """Search finds them for nothing."""


class CheckReply(msgspec.Struct, tag_field="type", tag="checked", frozen=True, kw_only=True):
    """What was found, before it was mended."""

    kinds: list[CheckedKind]
    """One for each kind."""
    turns_without_messages: int
    """Saved turns of the time before there were messages."""
    mended: bool = False
    """True where it was put right."""


class StillChecking(msgspec.Struct, tag_field="type", tag="checking", frozen=True, kw_only=True):
    """A sign of life before the answer."""

    checked: int
    """Rows and points so far."""


class Check(Request[CheckReply], frozen=True, kw_only=True):
    """anyone -> indexer: does every row have its points, and every point its row?

    Refused with 409 while the indexer mends.
    """

    subject: ClassVar[str] = "index.check"
    sign_of_life: ClassVar[type[msgspec.Struct]] = StillChecking

    mend: bool = False
    """True: put right what is not."""
