"""Where points are kept: folders of Qdrant's engine, or collections of a Qdrant server."""

import asyncio
import shutil
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from qdrant_client import AsyncQdrantClient

from services.indexer.adapters.qdrant_edge import EdgePassageIndex
from services.indexer.adapters.qdrant_server import ServerPassageIndex, _errors_named
from services.indexer.ports import PassageIndex
from shared.replies import Kind

NAMES: dict[Kind, str] = {"turn": "turns", "memory": "memories", "research": "research"}
_FIRST = "turns"
"""Of version 0.1."""


class EdgeCollections:
    """Collections over a folder: `<name of the generation>/<turns, memories or research>`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, kind: Kind, name: str, dimension: int) -> AbstractAsyncContextManager[PassageIndex]:
        return EdgePassageIndex.open(self._folder / name / NAMES[kind], dimension, kind)

    async def remove(self, kind: Kind, name: str) -> None:
        await asyncio.to_thread(self._remove, self._folder / name / NAMES[kind])

    async def remove_first(self) -> None:
        await asyncio.to_thread(self._remove, self._folder / _FIRST)

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)
        if folder.parent != self._folder:
            with suppress(OSError):  # The generation has other collections there.
                folder.parent.rmdir()


class ServerCollections:
    """Collections of a Qdrant server: `turns-<name of the generation>` and so on."""

    def __init__(self, url: str, *, api_key: str | None, timeout: float) -> None:
        self._url = url
        self._api_key = api_key
        self._timeout = timeout

    def open(self, kind: Kind, name: str, dimension: int) -> AbstractAsyncContextManager[PassageIndex]:
        return ServerPassageIndex.connect(
            self._url,
            api_key=self._api_key,
            timeout=self._timeout,
            collection=f"{NAMES[kind]}-{name}",
            dimension=dimension,
            kind=kind,
        )

    async def remove(self, kind: Kind, name: str) -> None:
        await self._delete(f"{NAMES[kind]}-{name}")

    async def remove_first(self) -> None:
        await self._delete(_FIRST)

    async def _delete(self, collection: str) -> None:
        client = AsyncQdrantClient(self._url, api_key=self._api_key, timeout=max(1, round(self._timeout)))
        try:
            with _errors_named():
                if await client.collection_exists(collection):
                    await client.delete_collection(collection)
        finally:
            await client.close()
