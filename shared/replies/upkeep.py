"""index.reindex, index.reindexing, index.check: the upkeep of what search finds."""

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.replies.memory import Kind
from shared.replies.request import Request


class ReindexingReply(msgspec.Struct, frozen=True, kw_only=True):
    """How far the collections are that are being built beside those that answer."""

    running: bool
    live: str
    """Name of the generation that answers: model, version of what is made of a text, and a number."""
    model: str
    """Its embedding model."""
    building: str = ""
    building_model: str = ""
    kinds: list[Kind] = []
    """What is built anew."""
    done: int = 0
    total: int = 0
    """Rows: messages, memories and pages."""
    started_at: datetime | None = None


class Reindexing(Request[ReindexingReply], frozen=True, kw_only=True):
    """anyone -> indexer: is anything being built anew, and how far is it?"""

    subject: ClassVar[str] = "index.reindexing"


class Reindex(Request[ReindexingReply], frozen=True, kw_only=True):
    """anyone -> indexer: make the vectors of these kinds anew, beside those that answer, and then switch."""

    subject: ClassVar[str] = "index.reindex"

    kinds: list[Kind] = []
    """Empty: all."""


class CheckedKind(msgspec.Struct, frozen=True, kw_only=True):
    """Rows and points of one kind, held against each other."""

    kind: Kind
    rows: int
    points: int
    """One a row, several of a long one."""
    rows_without_points: int
    points_without_rows: int


class CheckReply(msgspec.Struct, tag_field="type", tag="checked", frozen=True, kw_only=True):
    """What was found, before it was mended."""

    kinds: list[CheckedKind]
    turns_without_messages: int
    mended: bool = False


class Check(Request[CheckReply], frozen=True, kw_only=True):
    """anyone -> indexer: does every row have its points, and every point its row?"""

    subject: ClassVar[str] = "index.check"

    mend: bool = False
    """Puts right what is not."""


class StillChecking(msgspec.Struct, tag_field="type", tag="checking", frozen=True, kw_only=True):
    """A sign of life before the answer."""

    checked: int
    """Rows and points so far."""
