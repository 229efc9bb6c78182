"""What the orchestrator needs of the rest of the system, in its own words."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.events import AnyLiveEvent
from shared.replies import Generate, Generated, Hit, TurnRow


class Memory(Protocol):
    """What earlier turns hold. Raises Transient while it cannot be asked."""

    async def search(self, user: str, query: str, *, limit: int) -> list[Hit]:
        """Best first, without earlier questions that know nothing of their own."""
        ...

    async def neighbours(self, user: str, turn_ids: Sequence[str]) -> list[TurnRow]:
        """The turns right before and after these, in their own sessions."""
        ...

    async def last_turns(self, user: str, session_id: str, *, limit: int) -> list[TurnRow]:
        """The session's latest, oldest first."""
        ...


class Model(Protocol):
    """Answers a prompt and streams the answer to the turn's subject by itself."""

    async def generate(self, request: Generate) -> Generated:
        """Raises Refused where the request can never work, Transient where no engine is there.

        Cancelling the wait stops the engine.
        """
        ...


class Announcements(Protocol):
    """The turn's live stream."""

    async def emit(self, turn_id: str, event: AnyLiveEvent) -> None: ...

    async def next_index(self, turn_id: str) -> int:
        """The first index that nobody has used; 0 where nothing was sent or nothing is kept any more."""
        ...


class Documents(Protocol):
    """Turn folders. Writing is one atomic step: a folder is there whole or not at all."""

    async def write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> None:
        """Does nothing where the folder is there already."""
        ...

    async def read(self, turn_id: str, name: str) -> str | None:
        """None where there is no such turn or document."""
        ...

    async def names(self, turn_id: str) -> list[str]: ...

    async def highest_turn_number(self) -> int:
        """0 where there are none."""
        ...
