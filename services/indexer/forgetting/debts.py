"""Which stores have bytes of what is forgotten. They owe the erasure of these."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, Protocol

import msgspec

Owed = Literal["turns", "messages", "memories", "research", "turn points", "memory points", "research points"]
"""A group of tables, or a collection: what is written anew as a whole, so that deleted bytes go."""
OWED_BY_TURNS: Final[Sequence[Owed]] = ("turns", "messages", "turn points")
OWED_BY_MEMORIES: Final[Sequence[Owed]] = ("memories", "memory points")
OWED_BY_PAGES: Final[Sequence[Owed]] = ("research", "research points")


class Debt(msgspec.Struct, frozen=True):
    """A store that has bytes of what is forgotten, and the id of what removed them there."""

    store: Owed
    cause: str
    since: datetime


class DebtTable(Protocol):
    """What is owed. Every call raises Transient while PostgreSQL is away."""

    async def owed(self) -> list[Debt]: ...

    async def owed_since(self) -> datetime | None:
        """Since when a store owes bytes, or a receipt is not `erased`."""
        ...

    async def owe(self, stores: Sequence[Owed], cause: str) -> None:
        """From now on. What was paid for it, or is about to be, does not count."""
        ...

    async def paid(self, debts: Sequence[Debt]) -> None:
        """The bytes of these are erased, or there are none."""
        ...
