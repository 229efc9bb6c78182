"""The list of generations: one is live, one at most is being built, the others are to be removed."""

import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from services.indexer.passages.passage import PASSAGES_VERSION
from shared.contract.errors import Transient
from shared.contract.requests import Kind

Place = list[Any]
"""How far a walk over rows has come, as JSON."""
State = Literal["building", "live", "retired"]


class GenerationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One generation, as PostgreSQL has it."""

    number: int
    model: str
    name: str
    """`name_of` the model."""
    state: State
    collections: dict[Kind, str]
    kinds: list[Kind]
    """Those that are made anew for it. It shares the others with the generation before it."""
    place: tuple[Kind, Place] | None
    """Where its backfill stands."""
    done: int
    total: int
    started_at: datetime
    retired_at: datetime | None

    @property
    def full_name(self) -> str:
        return f"{self.name}-{self.number}"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The generation that the settings ask for."""

    model: str
    name: str
    kinds: Sequence[Kind]

    def is_made_as(self, row: GenerationRow) -> bool:
        """By the same model, in the same way."""
        return (row.model, row.name) == (self.model, self.name)


class GenerationTable(Protocol):
    """Every call raises Transient while PostgreSQL is away."""

    async def rows(self) -> list[GenerationRow]: ...

    async def add(
        self, state: State, model: str, name: str, kinds: Sequence[Kind], kept: dict[Kind, str]
    ) -> bool:
        """Adds one with new collections for `kinds` and those that are kept.

        False, and nothing is added, where there is a generation of this state.
        """
        ...

    async def note(self, number: int, place: tuple[Kind, Place] | None, done: int, total: int) -> None: ...

    async def switch(self, number: int) -> bool:
        """Makes it live and retires the live one; False where it is not being built now."""
        ...

    async def retire(self, number: int) -> None: ...

    async def remove(self, number: int) -> None: ...

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """True for one process at a time, until it leaves or ends."""
        ...


def name_of(model: str) -> str:
    """Names a generation: the model, and the version of what is made of a text."""
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[-48:]
    return f"{plain}-v{PASSAGES_VERSION}"


async def live_and_building(table: GenerationTable) -> tuple[GenerationRow, GenerationRow | None]:
    """Raises Transient where none is live."""
    rows = await table.rows()
    live = row_in_state("live", rows)
    if live is None:
        raise Transient("no generation is live now")
    return live, row_in_state("building", rows)


def row_in_state(state: State, rows: Sequence[GenerationRow]) -> GenerationRow | None:
    return next((row for row in rows if row.state == state), None)
