"""Searches and saves memories at the indexer, over the bus."""

from shared.bus.connection import Bus
from shared.contract.memories import Memory, Statement
from shared.contract.requests import Hit, Kind, SaveMemory, Search


class BusMemorySearch:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def search(self, user: str, query: str, kind: Kind, *, limit: int) -> list[Hit]:
        request = Search(user=user, query=query, limit=limit, kinds=[kind], without_echoes=True)
        return (await self._bus.ask(request)).hits


class BusMemorySaving:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def save(self, user: str, statement: Statement, memory_id: str) -> Memory:
        return await self._bus.ask(SaveMemory(user=user, statement=statement, memory_id=memory_id))
