"""The port of an index: one collection of passages, found by meaning and by words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from services.indexer.passages.message import Role
from services.indexer.passages.passage import Passage, Vectors
from shared.contract.requests import Kind


class IndexQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A question to one collection, always for one user."""

    user: str
    vector: Vectors
    words: str
    session_id: str | None = None
    speaker: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    without_echoes: bool = False
    limit: int = 100
    """Of each of the four lists."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A message of at least one of the four lists. A score of None: it is not among that list's best."""

    key: str
    """The id of the message's point."""
    kind: Kind
    session_id: str
    """Empty: said in no session."""
    ordinal: int
    speaker: str
    role: Role
    at: datetime
    asks: bool
    """It is only a question."""
    length: int
    """In words."""
    uses: int
    """How many answers stood on it."""
    meaning: float | None
    """Cosine of the question and the message, -1 to 1."""
    meaning_near: float | None
    """The same of the message together with its neighbours."""
    words: float | None
    """BM25 of the question and `speaker: message`, 0 and above."""
    words_near: float | None
    """The same of the message together with its neighbours."""
    tells_time: bool = False
    """It says when something is, was or will be."""
    part: int = 0
    """Of a long text, the part that was found best."""
    reliability: float = 0.5
    """Of a page's domain, 0 to 1. 0.5 where nothing is known, and for whatever is no page."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one user: all, those of a session, or those of some messages."""

    user: str
    session_id: str | None = None
    messages: Sequence[UUID] | None = None


class PassageIndex(Protocol):
    """One collection. Every call raises Transient where the index cannot be reached."""

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        """Writes each passage over the point of its id; search finds it when this returns.

        `vectors` and `near` have the shape (passages, dimension).
        """
        ...

    async def search(self, query: IndexQuery) -> list[Candidate]:
        """The best of each of the four lists, joined by message, not ranked."""
        ...

    async def remove(self, selection: Selection) -> None:
        """No search finds them when this returns."""
        ...

    async def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        """The vectors of those passages that are in the index."""
        ...

    async def present(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of these points that are in the index."""
        ...

    async def drop(self, ids: Sequence[UUID]) -> None:
        """Removes the points of these messages, of any user: those without a row."""
        ...

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        """By message."""
        ...

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        """The messages of the next points by id, and the id to go on after; None at the end."""
        ...

    async def count(self, *, exact: bool = True) -> int:
        """Points. `exact` reads them all; otherwise it is an estimate, whose cost does not grow with them."""
        ...

    async def compact(self, *, needed: bool = True) -> bool:
        """Erases the bytes of removed points from the disk; False where they may stay.

        Not `needed`: only says whether it could.
        """
        ...
