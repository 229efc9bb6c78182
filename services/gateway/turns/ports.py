"""What handing in turns needs of the bus."""

from typing import Protocol

from services.gateway.turns.idempotency import Promise, Written
from shared.contract.events import TurnRequested


class Turns(Protocol):
    """Where turns are handed in."""

    async def accept(self, turn: TurnRequested) -> int:
        """Returns the turn's number, once the turn is stored. Raises Refused (503) where the queue is full.

        The same turn again, within two minutes, is stored once and has the same number.
        """
        ...


class Promises(Protocol):
    """Which turn an Idempotency-Key stands for. Raises Transient."""

    async def find(self, user: str, key: str) -> Written | None: ...

    async def make(self, user: str, key: str, promise: Promise) -> Written:
        """Returns the promise that is valid: this one, or one that was made before."""
        ...

    async def keep(self, user: str, key: str, written: Written) -> None:
        """Writes the promise over its revision. Does nothing where another gateway was faster."""
        ...
