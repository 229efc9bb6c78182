"""Where a turn that runs is announced, and where its end is told."""

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.contract.events import AnyLiveEvent, Event, TurnRequested

MakeEvent = Callable[[list[AnyLiveEvent]], AnyLiveEvent | None]
"""The next event of a turn, from all that were sent before: its index is their number."""


class Announcements(Protocol):
    """The turn's live stream. Raises Transient."""

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None: ...

    async def join(self, turn_id: str, known: Sequence[AnyLiveEvent], make: MakeEvent) -> list[AnyLiveEvent]:
        """Sends the event that `make` makes after all that any process has sent. Returns all of them.

        `known` are those that are remembered elsewhere. Nothing is sent where `make` returns None.
        """
        ...


class Outcomes(Protocol):
    """Where the end of a turn is told. Raises Transient."""

    async def publish(self, event: Event) -> None:
        """Returns when it is stored. The same event again is stored once."""
        ...

    async def leave_queue(self, turn_number: int) -> None:
        """Takes the turn out of the stream of turns."""
        ...

    async def refuse(self, turn_number: int, request: TurnRequested) -> None:
        """Puts a request aside that has the id of another turn, for a person to look at."""
        ...
