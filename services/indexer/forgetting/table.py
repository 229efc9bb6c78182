"""The port of what was forgotten: the list of it, and the removal of its rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from services.indexer.forgetting.debts import Debt
from shared.contract.events import ForgetRequested
from shared.contract.requests import Receipt


class RemovedRows(msgspec.Struct, frozen=True, kw_only=True):
    """By the ids of their points; and their neighbours, which have to be indexed anew."""

    turns: int = 0
    messages: Sequence[UUID] = ()
    sessions: Sequence[str] = ()
    """The sessions of these messages."""
    neighbours: Sequence[UUID] = ()


class ForgottenTable(Protocol):
    """Every call raises Transient while PostgreSQL is away."""

    async def note(self, order: ForgetRequested) -> list[Debt]:
        """From now on every store owes the bytes of this order. Returns what none owed for it before."""
        ...

    async def unerased(self, after: str, limit: int) -> list[Receipt]:
        """Receipts in the state `forgotten`, of all users, by id."""
        ...

    async def covered(self, said: Sequence[tuple[str, str, str, datetime]]) -> set[int]:
        """The places of those that are forgotten, among these (user, session, turn, when it began)."""
        ...

    async def remove(self, order: ForgetRequested) -> RemovedRows: ...

    async def sources(self, user: str) -> list[str]:
        """Ids of statements and turns of the user that are forgotten, the latest 10,000."""
        ...

    async def clear_answers(self, user: str, turn_ids: Sequence[str]) -> RemovedRows:
        """Removes these answers, and notes it for events that come later."""
        ...

    async def cleared(self, turn_ids: Sequence[str]) -> set[str]:
        """Those of these turns whose answers were cleared."""
        ...

    async def keep(self, receipt: Receipt) -> None: ...

    async def receipt(self, user: str, forget_id: str) -> Receipt | None: ...
