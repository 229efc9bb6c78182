"""Opens generations: their models, their collections; and closes what nothing uses any more."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from services.indexer.filling import Place
from services.indexer.generation import Generation
from services.indexer.ports import Embedder, PassageIndex
from shared.replies import Kind

Model = Callable[[str], AbstractAsyncContextManager[Embedder]]
"""Loads an embedding model by its name. Raises SettingsError where there is none."""
State = Literal["building", "live", "retired"]


class GenerationRow(msgspec.Struct, frozen=True, kw_only=True):
    """What PostgreSQL knows of a generation."""

    number: int
    model: str
    name: str
    """The model and the version of what is made of a text."""
    state: State
    collections: dict[Kind, str]
    kinds: list[Kind]
    """Those that are made anew for it; the others it has in common with the one before."""
    place: tuple[Kind, Place] | None
    done: int
    total: int
    started_at: datetime
    retired_at: datetime | None

    @property
    def full_name(self) -> str:
        return f"{self.name}-{self.number}"


class GenerationTable(Protocol):
    """The list of generations: one is live, one at most is being built, the others are to be removed."""

    async def rows(self) -> list[GenerationRow]: ...

    async def add(
        self, state: State, model: str, name: str, kinds: Sequence[Kind], kept: dict[Kind, str]
    ) -> bool:
        """With new collections for `kinds` besides those that are kept; False where there is one so."""
        ...

    async def note(self, number: int, place: tuple[Kind, Place] | None, done: int, total: int) -> None: ...

    async def switch(self, number: int) -> bool:
        """It is live from here on, and what was live is retired; False where it is not being built now."""
        ...

    async def retire(self, number: int) -> None: ...

    async def remove(self, number: int) -> None: ...

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """True for one process at a time, until it is left or the process ends."""
        ...


class Collections(Protocol):
    """Where points are kept."""

    def open(self, kind: Kind, name: str, dimension: int) -> AbstractAsyncContextManager[PassageIndex]: ...

    async def remove(self, kind: Kind, name: str) -> None:
        """Nobody here has it open. None there is no error."""
        ...

    async def remove_first(self) -> None:
        """The one of version 0.1, whose points were turns."""
        ...


class Opened:
    """Models and collections that this process has open, each once."""

    def __init__(self, collections: Collections, model: Model) -> None:
        self._collections = collections
        self._model = model
        self._models: dict[str, tuple[Embedder, AsyncExitStack]] = {}
        self._indexes: dict[tuple[Kind, str], tuple[PassageIndex, AsyncExitStack]] = {}

    @classmethod
    @asynccontextmanager
    async def nothing(cls, collections: Collections, model: Model) -> AsyncIterator["Opened"]:
        opened = cls(collections, model)
        try:
            yield opened
        finally:
            await opened.keep_only([])

    async def load(self, model: str) -> Embedder:
        """Raises SettingsError."""
        if model not in self._models:
            stack = AsyncExitStack()
            self._models[model] = (await stack.enter_async_context(self._model(model)), stack)
        return self._models[model][0]

    async def open(self, row: GenerationRow) -> Generation:
        embedder = await self.load(row.model)
        indexes = {
            kind: await self._index(kind, name, embedder.dimension) for kind, name in row.collections.items()
        }
        return Generation(row.full_name, embedder, indexes)

    async def _index(self, kind: Kind, name: str, dimension: int) -> PassageIndex:
        if (kind, name) not in self._indexes:
            stack = AsyncExitStack()
            index = await stack.enter_async_context(self._collections.open(kind, name, dimension))
            self._indexes[kind, name] = index, stack
        return self._indexes[kind, name][0]

    async def keep_only(self, rows: Sequence[GenerationRow]) -> None:
        """Closes what none of these has."""
        used = {(kind, name) for row in rows for kind, name in row.collections.items()}
        for key in self._indexes.keys() - used:
            await self._indexes.pop(key)[1].aclose()
        for model in self._models.keys() - {row.model for row in rows}:
            await self._models.pop(model)[1].aclose()

    async def remove(self, kind: Kind, name: str) -> None:
        await self._collections.remove(kind, name)

    async def remove_first(self) -> None:
        await self._collections.remove_first()
