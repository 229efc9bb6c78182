"""Whether the indexer can answer: its stores do."""

import asyncio

from services.indexer.app.stores import Stores
from shared.bus.endpoints import endpoint
from shared.contract.requests import Ping, Pong


class Readiness:
    """Asks PostgreSQL and Qdrant. What it costs does not depend on what they hold."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @endpoint
    async def ping(self, request: Ping) -> Pong:
        await asyncio.gather(self._stores.database.check(), self._stores.generation.check())
        return Pong()
