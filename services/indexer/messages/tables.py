"""The ports of the rows of messages and turns. Every call raises Transient while PostgreSQL is away."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from services.indexer.passages.message import Message, StoredMessage
from shared.contract.events import TurnCancelled, TurnSaved
from shared.contract.requests import ConversationRow, SessionRow, TurnRow


class Added(msgspec.Struct, frozen=True):
    """How many of the messages that were handed in are new, changed, or known already."""

    new: int
    changed: Sequence[UUID]
    """Known before with another text; the new text is stored."""
    known: int


class MessageTable(Protocol):
    async def add(self, messages: Sequence[Message]) -> Added:
        """Appends them to their sessions, in order. A known one with another text is replaced.

        Raises Poison where a row cannot be stored.
        """
        ...

    async def unindexed(self, ids: Sequence[UUID]) -> list[StoredMessage]:
        """Those without points, and two before and after each, by user, session and place."""
        ...

    async def mark_indexed(self, ids: Sequence[UUID]) -> None: ...

    async def get(self, user: str, ids: Sequence[UUID]) -> dict[UUID, StoredMessage]: ...

    async def speakers(self, user: str) -> list[str]: ...

    async def used(self, user: str, times: Mapping[UUID, int]) -> dict[UUID, int]:
        """Counts so many more uses of each. Returns all uses that they have now."""
        ...

    async def count(self) -> tuple[int, int]:
        """(messages of all users, those of them without points). Reads every row."""
        ...

    async def estimate(self) -> tuple[int, int]:
        """The same, at a cost that does not grow with the rows. Of those without points 1,000 at most."""
        ...


class TurnTable(Protocol):
    """Saved and cancelled turns. Every question is for one user."""

    async def upsert(self, turns: Sequence[TurnSaved | TurnCancelled]) -> None:
        """Writes each turn once, however often it comes. Raises Poison where a row cannot be stored.

        Marks the turns of their sessions that the newest one does not go on from: they are abandoned.
        """
        ...

    async def turns(
        self, user: str, *, session_id: str | None, before: int | None, limit: int
    ) -> list[TurnRow]:
        """Newest first, with cancelled ones."""
        ...

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        """The saved turns right before and after these, in their own sessions. No abandoned ones."""
        ...

    async def sessions(self, user: str, *, limit: int) -> list[SessionRow]:
        """Latest first. Cancelled turns count; the last topic is that of a saved one."""
        ...

    async def conversations(
        self,
        user: str,
        *,
        session_id: str | None,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> list[ConversationRow]:
        """Latest first, also those that are imported. `before`: the time and the id of the one before."""
        ...

    async def count(self) -> tuple[int, int]:
        """(saved turns of all users, highest turn number of any turn). Reads every row."""
        ...

    async def estimate(self) -> tuple[int, int]:
        """The same, at a cost that does not grow with the rows. Cancelled turns may be counted."""
        ...
