"""What the gateway needs of the bus, in its own words."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from services.gateway.domain.idempotency import Promise, Written
from services.gateway.domain.joining import Frame
from shared.events import AnyLiveEvent, Event, TurnRequested
from shared.replies import Request

R = TypeVar("R")


class Turns(Protocol):
    """Where turns are handed in, and where everything else is asked."""

    async def accept(self, turn: TurnRequested) -> int:
        """The turn's number, once it is stored. Raises Refused (503) where the queue is full.

        The same turn again is stored once, and has the same number, within two minutes.
        """
        ...

    async def publish(self, event: Event) -> None:
        """Returns when it is stored. Raises Transient."""
        ...

    async def ask(self, request: Request[R], timeout_seconds: float | None = None) -> R:
        """Raises Refused, and Transient where there is no answer in time."""
        ...


class Promises(Protocol):
    """Which turn an Idempotency-Key stands for. Raises Transient."""

    async def find(self, user: str, key: str) -> Written | None: ...

    async def make(self, user: str, key: str, promise: Promise) -> Written:
        """The promise that holds: this one, or one that was made before."""
        ...

    async def keep(self, user: str, key: str, written: Written) -> None:
        """Writes the promise over the revision; does nothing where somebody else was faster."""
        ...


class Reader(Protocol):
    """Every event of one turn, in order, each once."""

    @property
    def ended(self) -> bool:
        """True once the turn's last event was read, or was behind the reader from the start."""
        ...

    async def read(self, silence_seconds: float) -> list[Frame]:
        """What comes next; empty after that long without anything, or when `ended`."""
        ...


class LiveTurns(Protocol):
    """The live streams of turns."""

    async def events(self, turn_id: str) -> list[AnyLiveEvent]:
        """Everything that is still held, in order, each index once; empty where nothing is."""
        ...

    async def owner(self, turn_id: str) -> str | None:
        """Whose turn it is, as its first events say it; None where they are not held."""
        ...

    def follow(
        self, turn_id: str, user: str, *, after: int, from_the_start: bool
    ) -> AbstractAsyncContextManager[Reader]:
        """From entering on nothing is missed: every event after `after`, to the turn's last.

        `user` is the turn's owner. `from_the_start` says that the turn was not yet handed in, so that
        nothing needs to be replayed.
        """
        ...
