"""Collections of a Qdrant server."""

from contextlib import AbstractAsyncContextManager

from qdrant_client import AsyncQdrantClient

from services.indexer.passages.index import PassageIndex
from services.indexer.qdrant.collections import FIRST, NAMES
from services.indexer.qdrant.server import ServerPassageIndex, translated_errors
from shared.contract.requests import Kind


class ServerCollections:
    """`turns-<name of the generation>` and so on."""

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
        await self._delete(FIRST)

    async def _delete(self, collection: str) -> None:
        client = AsyncQdrantClient(self._url, api_key=self._api_key, timeout=max(1, round(self._timeout)))
        try:
            with translated_errors():
                if await client.collection_exists(collection):
                    await client.delete_collection(collection)
        finally:
            await client.close()
