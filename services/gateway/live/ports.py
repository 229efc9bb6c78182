"""What the gateway needs of the live streams of turns."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.gateway.live.joining import Frame
from shared.contract.events import AnyLiveEvent


class Reader(Protocol):
    """Every event of one turn, in order, each once."""

    @property
    def ended(self) -> bool:
        """True once the turn's last event was read, or where the reader had it from the start."""
        ...

    async def read(self, silence_seconds: float) -> list[Frame]:
        """Returns what comes next; nothing after that long without an event, or when `ended`."""
        ...


class LiveTurns(Protocol):
    """The live streams of turns."""

    async def events(self, turn_id: str) -> list[AnyLiveEvent]:
        """Returns the events that are still stored, in order, each index once."""
        ...

    async def owner(self, turn_id: str) -> str | None:
        """Returns the turn's user, as its first events name it; None where they are not stored."""
        ...

    def follow(
        self, turn_id: str, user: str, *, after: int, from_the_start: bool
    ) -> AbstractAsyncContextManager[Reader]:
        """Reads every event after `after`, to the turn's last. From entering on nothing is missed.

        `user` is the turn's owner. `from_the_start` says that the turn was not handed in yet, so there is
        nothing to replay.
        """
        ...
