"""What the tools ask of the indexer, over the bus."""

from services.orchestrator.archive import Archive
from shared.bus import Bus
from shared.memories import Memory, Statement
from shared.replies import Document, GetDocument, Hit, Kind, ListDocuments, SaveMemory, Search


class BusMemorySearch:
    """MemorySearch at the indexer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def search(self, user: str, query: str, kind: Kind, *, limit: int) -> list[Hit]:
        request = Search(user=user, query=query, limit=limit, kinds=[kind], without_echoes=True)
        return (await self._bus.ask(request)).hits


class BusMemorySaving:
    """MemorySaving at the indexer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def save(self, user: str, statement: Statement, memory_id: str) -> Memory:
        return await self._bus.ask(SaveMemory(user=user, statement=statement, memory_id=memory_id))


class ArchivedFiles:
    """TurnFiles of the Archive, which answers for a turn's own user alone."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def names(self, user: str, turn_id: str) -> list[str]:
        return (await self._archive.list_documents(ListDocuments(user=user, turn_id=turn_id))).names

    async def read(self, user: str, turn_id: str, name: str) -> Document:
        return await self._archive.get_document(GetDocument(user=user, turn_id=turn_id, name=name))
