"""The store of turn documents, and of turns that may go to the archive."""

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec


class Documents(Protocol):
    """Turn folders. A folder is written in one atomic step: it exists completely, or not at all."""

    async def write(self, turn_number: int, turn_id: str, files: Mapping[str, str]) -> bool:
        """False where the folder exists already: then nothing changes. Raises Transient."""
        ...

    async def read(self, turn_id: str, name: str) -> str | None:
        """None where there is no such turn or document."""
        ...

    async def names(self, turn_id: str) -> list[str]: ...

    async def mark_used(self, turn_id: str) -> None:
        """Notes a reading, which delays the archive."""
        ...

    async def turns_of(self, user: str, session_id: str | None = None) -> list[tuple[int, str]]:
        """(turn number, turn id) of a user's turns, or of one session's, by number. Reads them."""
        ...

    async def turns_given(self, user: str, sources: Collection[str]) -> set[str]:
        """The ids of a user's turns that were given any of these (`turn_sources`), from an index.

        Also those of turns that earlier versions wrote, of any user, until they are sorted.
        """
        ...

    async def remove(self, turn_id: str) -> bool:
        """Deletes a turn's documents for good, wherever they are. True where there were any.

        No reader sees half of them. Also deletes what a process left that died. Raises Transient.
        """
        ...

    async def rewrite(self, turn_id: str, files: Mapping[str, str]) -> None:
        """Replaces all documents of the turn by these. An archived turn stays archived.

        Does nothing where the turn does not exist. After a crash each document has its old or its new
        content. Raises Transient.
        """
        ...

    async def highest_turn_number(self) -> int:
        """0 where there are none."""
        ...


class Packed(msgspec.Struct, frozen=True):
    """The sizes of an archived turn: of its documents, and of its zip."""

    bytes_before: int
    bytes_after: int


class OldTurns(Protocol):
    """Turns that are not archived yet. Readers see no difference once they are."""

    async def unused_since(self, moment: float) -> list[str]:
        """The names of turns without a write or a reading since then (seconds of the epoch), oldest first."""
        ...

    async def unsorted(self) -> list[str]:
        """The ids of turns that earlier versions wrote, and that are not yet listed by user and sources."""
        ...

    async def sort(self, turn_id: str) -> None:
        """Lists one of these by its user and sources. A crash at any point does no harm. Raises Transient."""
        ...

    async def size_of(self, name: str) -> int:
        """Bytes; 0 where the turn does not exist any more."""
        ...

    async def pack(self, name: str) -> Packed | None:
        """None where there was nothing to do. A crash at any point does no harm. Raises Transient."""
        ...
