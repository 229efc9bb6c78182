"""The port of the rows of pages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.indexer.research.pages import PageRow
from shared.contract.events import ForgetRequested


class ResearchTable(Protocol):
    """What `at_points`, `of_address` and `of_topic` find has not expired and is the latest of its address."""

    async def add(self, row: PageRow) -> None:
        """Writes it, unless the row of its id is as new or newer."""
        ...

    async def unindexed(self, point_id: UUID, now: datetime) -> PageRow | None: ...

    async def mark_indexed(self, point_id: UUID) -> None: ...

    async def at_points(self, user: str, points: Sequence[UUID], now: datetime) -> dict[UUID, PageRow]: ...

    async def of_address(self, user: str, url: str, now: datetime) -> list[PageRow]: ...

    async def of_topic(self, user: str, topic: str, now: datetime, *, limit: int) -> list[PageRow]: ...

    async def of_user(self, user: str, after: str, *, limit: int) -> list[PageRow]:
        """By id, with those that have expired."""
        ...

    async def at_point(self, point_id: UUID) -> PageRow | None:
        """Also where it has expired."""
        ...

    async def remove(self, order: ForgetRequested) -> list[UUID]: ...

    async def delete(self, points: Sequence[UUID]) -> None: ...

    async def users_of_expired(self, before: datetime, *, indexed: bool, limit: int) -> list[str]:
        """The users of so many pages that expired before then; `indexed`: of those still in the index."""
        ...

    async def expired(self, user: str, before: datetime, *, indexed: bool, limit: int) -> list[UUID]:
        """Points of a user's pages that expired before then; `indexed`: only those still in the index."""
        ...

    async def note_removed(self, points: Sequence[UUID], now: datetime) -> None:
        """Notes that the index has no points of those of them that have expired."""
        ...
