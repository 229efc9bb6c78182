"""What the gateway needs of the bus, in its own words."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import msgspec

from shared.events import AnyLiveEvent, TurnRequested
from shared.replies import Request

R = TypeVar("R")


class Frame(msgspec.Struct, frozen=True):
    """A live event as it came: enough to pass it on without reading it whole."""

    index: int
    type: str
    body: bytes

    @property
    def is_last(self) -> bool:
        return self.type in ("turn.saved", "turn.failed", "turn.cancelled")


class Turns(Protocol):
    """Where turns are handed in, and where everything else is asked."""

    async def accept(self, turn: TurnRequested) -> int:
        """The turn's number, once it is stored. Raises Refused (503) where the queue is full."""
        ...

    async def input_of(self, turn_number: int) -> str:
        """The words of a turn that has not ended yet; empty where it just has."""
        ...

    async def ask(self, request: Request[R]) -> R: ...


class LiveTurns(Protocol):
    """The live streams of turns."""

    async def replay(self, turn_id: str) -> list[AnyLiveEvent]:
        """Everything that is still held, in order, each index once; empty where nothing is."""
        ...

    def follow(
        self, turn_id: str, *, after: int, heartbeat_seconds: float, from_the_start: bool
    ) -> AbstractAsyncContextManager[AsyncGenerator[list[Frame], None]]:
        """From entering on nothing is missed: every event after `after`, in order, each once.

        An empty list is a heartbeat: nothing came for that long. Ends after the turn's last event.
        `from_the_start` says that the turn was not yet handed in, so that nothing needs to be replayed.
        """
        ...
