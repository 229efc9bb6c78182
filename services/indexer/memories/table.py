"""The port of what was stated, and of the memories that it makes. Everything is for one user."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.indexer.memories.memory import MemoryRow, Written
from services.indexer.memories.statement import Said, StatementSelection
from shared.contract.requests import MemoryChange, MemoryFilter


class MemoryTable(Protocol):
    """Every call raises Transient while PostgreSQL is away."""

    async def add(self, said: Sequence[Said]) -> Written:
        """All of one user. A statement that is there already, or was forgotten, changes nothing."""
        ...

    async def change(self, user: str, memory_id: str, change: MemoryChange) -> Written | None:
        """None where there is no such memory. Raises Refused."""
        ...

    async def remove(self, selected: StatementSelection) -> Written:
        """Forgets them. No late delivery brings them back."""
        ...

    async def get(self, user: str, memory_ids: Sequence[str]) -> list[MemoryRow]:
        """By the id of any of their statements."""
        ...

    async def at_points(self, user: str, points: Sequence[UUID]) -> dict[UUID, MemoryRow]: ...

    async def note_used(self, user: str, memory_ids: Sequence[str], at: datetime) -> None: ...

    async def find(
        self,
        user: str,
        where: MemoryFilter,
        *,
        at: datetime | None,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> list[MemoryRow]:
        """Latest first; `at`: only those that were valid then."""
        ...
