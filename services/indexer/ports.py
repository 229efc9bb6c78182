"""What the indexer needs of its stores and of its model, in its own words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec
import numpy
from numpy.typing import NDArray

from services.indexer.domain.messages import Message, StoredMessage
from services.indexer.domain.passages import Passage
from services.indexer.domain.ranking import Candidate
from shared.events import ForgetRequested, TurnCancelled, TurnSaved
from shared.replies import Receipt, SessionRow, TurnRow

Vectors = NDArray[numpy.float32]


class Embedder(Protocol):
    """Turns text into unit vectors of `dimension` float32 numbers."""

    @property
    def dimension(self) -> int: ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (texts, dimension); for texts to be stored, many at a time."""
        ...

    async def embed_query(self, text: str) -> Vectors:
        """Shape (dimension,); goes before all stored texts that still wait."""
        ...

    def forget_queries(self) -> None:
        """Empties the cache of recent queries."""
        ...


class IndexQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What one collection is asked, always for one user."""

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


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one user: all of them, those of a session, or those of some messages."""

    user: str
    session_id: str | None = None
    messages: Sequence[UUID] | None = None


class PassageIndex(Protocol):
    """One collection: finds passages by meaning and by words, alone and with what stands beside them."""

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        """Writes each passage over what stood at its id; searchable when it returns.

        `vectors` and `near` have the shape (passages, dimension).
        """
        ...

    async def search(self, query: IndexQuery) -> list[Candidate]:
        """The best of each of the four lists, joined by message, not ranked."""
        ...

    async def remove(self, selection: Selection) -> None:
        """No search finds them when it returns."""
        ...

    async def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        """Of those passages that are there."""
        ...

    async def present(self, ids: Sequence[UUID]) -> set[UUID]:
        """Those of these points that are there."""
        ...

    async def drop(self, ids: Sequence[UUID]) -> None:
        """Removes the points of these messages, whoever's they were: those that have no row any more."""
        ...

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        """By message."""
        ...

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        """The messages of the next points by id, and the id to go on after; None at the end."""
        ...

    async def count(self) -> int:
        """Points."""
        ...

    async def compact(self) -> bool:
        """The bytes of removed points are gone from the disk when it returns; False where they may not be."""
        ...


class Added(msgspec.Struct, frozen=True):
    """What became of messages that were handed in."""

    new: int
    changed: Sequence[UUID]
    """Known before, with another text; the one that came now is kept."""
    known: int


class MessageTable(Protocol):
    """The rows of messages."""

    async def add(self, messages: Sequence[Message]) -> Added:
        """Writes them behind what their sessions hold; in order. A known one with another text is replaced.

        Raises Poison where a row cannot be stored.
        """
        ...

    async def unindexed(self, ids: Sequence[UUID]) -> list[StoredMessage]:
        """Those that have no points yet and the two before and after each, by user, session and place."""
        ...

    async def mark_indexed(self, ids: Sequence[UUID]) -> None: ...

    async def get(self, user: str, ids: Sequence[UUID]) -> dict[UUID, StoredMessage]: ...

    async def speakers(self, user: str) -> list[str]: ...

    async def used(self, user: str, ids: Sequence[UUID]) -> dict[UUID, int]:
        """Counts one more use of each of these; the uses that they have now."""
        ...

    async def count(self) -> tuple[int, int]:
        """(messages of all users, those of them that have no points yet)."""
        ...


class RemovedRows(msgspec.Struct, frozen=True, kw_only=True):
    """What went, by the ids of points, and what has to be indexed anew since it stood beside it."""

    turns: int = 0
    messages: Sequence[UUID] = ()
    sessions: Sequence[str] = ()
    """Those that the messages were of."""
    beside: Sequence[UUID] = ()


class Forgotten(Protocol):
    """What was forgotten: the list of it, and the removal of its rows."""

    async def note(self, order: ForgetRequested) -> None: ...

    async def covered(self, said: Sequence[tuple[str, str, str, datetime]]) -> set[int]:
        """Which of these (user, session, turn, when it began) are forgotten, by their place."""
        ...

    async def remove(self, order: ForgetRequested) -> RemovedRows: ...

    async def sources(self, user: str) -> list[str]:
        """Ids of all statements of the user that are forgotten, the latest first; not of those long ago."""
        ...

    async def clear_answers(self, user: str, turn_ids: Sequence[str]) -> RemovedRows: ...

    async def keep(self, receipt: Receipt) -> None: ...

    async def receipt(self, user: str, forget_id: str) -> Receipt | None: ...


class TurnTable(Protocol):
    """The rows of saved and of cancelled turns. Every question is asked for one user."""

    async def upsert(self, turns: Sequence[TurnSaved | TurnCancelled]) -> None:
        """Writes each turn once, however often it comes. Raises Poison where a row cannot be stored."""
        ...

    async def get(self, user: str, turn_ids: Sequence[str]) -> dict[str, TurnRow]:
        """Those of them that are saved."""
        ...

    async def turns(
        self, user: str, *, session_id: str | None, before: int | None, limit: int
    ) -> list[TurnRow]:
        """Newest first, cancelled ones among them."""
        ...

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        """The saved turns right before and after these, in their own sessions."""
        ...

    async def sessions(self, user: str, *, limit: int) -> list[SessionRow]:
        """Latest first. Cancelled turns count; the last topic is that of a saved one."""
        ...

    async def count(self) -> tuple[int, int]:
        """(saved turns of all users, highest turn number of any turn)."""
        ...
