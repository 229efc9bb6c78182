"""The embedding models and collections that this process has open, each once."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from services.indexer.embedding.embedder import Embedder
from services.indexer.generations.table import GenerationRow
from services.indexer.generations.writing import Generation
from services.indexer.passages.index import PassageIndex
from shared.contract.requests import Kind

Model = Callable[[str], AbstractAsyncContextManager[Embedder]]
"""Loads an embedding model by its name. Raises SettingsError where there is none."""


class Collections(Protocol):
    """Where points are stored."""

    def open(self, kind: Kind, name: str, dimension: int) -> AbstractAsyncContextManager[PassageIndex]: ...

    async def remove(self, kind: Kind, name: str) -> None:
        """This process does not have it open. It is no error where there is none."""
        ...

    async def remove_first(self) -> None:
        """The collection of version 0.1, whose points were turns."""
        ...


class OpenCollections:
    """Opens generations, and closes what none of them uses any more."""

    def __init__(self, collections: Collections, model: Model) -> None:
        self._collections = collections
        self._model = model
        self._models: dict[str, tuple[Embedder, AsyncExitStack]] = {}
        self._indexes: dict[tuple[Kind, str], tuple[PassageIndex, AsyncExitStack]] = {}

    @classmethod
    @asynccontextmanager
    async def none_yet(cls, collections: Collections, model: Model) -> AsyncIterator["OpenCollections"]:
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
        """Closes what none of these uses."""
        used = {(kind, name) for row in rows for kind, name in row.collections.items()}
        for key in self._indexes.keys() - used:
            await self._indexes.pop(key)[1].aclose()
        for model in self._models.keys() - {row.model for row in rows}:
            await self._models.pop(model)[1].aclose()

    async def remove(self, kind: Kind, name: str) -> None:
        await self._collections.remove(kind, name)

    async def remove_first(self) -> None:
        await self._collections.remove_first()
