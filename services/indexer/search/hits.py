"""The port of hits: the rows of what was found."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from shared.contract.requests import Hit


class Hits(Protocol):
    """The rows of one collection's points, as hits."""

    async def of(self, user: str, ids: Sequence[UUID]) -> Mapping[UUID, Hit]:
        """Those of this user, by the id of their point; without score and highlights."""
        ...
