"""What the indexer needs of its stores and of its model, in its own words."""

from collections.abc import Sequence
from typing import Protocol

import numpy
from numpy.typing import NDArray

from services.indexer.domain.fusion import Candidate
from services.indexer.domain.passages import Passage
from shared.events import TurnCancelled, TurnSaved
from shared.replies import SessionRow, TurnRow

Vectors = NDArray[numpy.float32]


class Embedder(Protocol):
    """Turns text into unit vectors of `dimension` float32 numbers."""

    dimension: int

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (texts, dimension); for texts to be stored, many at a time."""
        ...

    async def embed_query(self, text: str) -> Vectors:
        """Shape (dimension,); goes before all stored texts that still wait."""
        ...


class TurnIndex(Protocol):
    """Finds turns by meaning and by words. Every question is asked for one user."""

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Writes each passage over what stood at its id; searchable when it returns."""
        ...

    async def search(
        self,
        user: str,
        vector: Vectors,
        text: str,
        *,
        session_id: str | None,
        without_echoes: bool,
        limit: int,
    ) -> list[Candidate]:
        """The `limit` nearest by cosine and the `limit` best by BM25, joined by id, not ranked."""
        ...

    async def count(self) -> int: ...


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
