"""Opens the cache of replies, where the settings name a Redis server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.indexer.caching.redis import RedisReplies
from services.indexer.caching.replies import Caching, NothingKept
from services.indexer.settings import IndexerSettings
from shared.process.health import Health
from shared.redis.server import RedisServer


@asynccontextmanager
async def opened_caching(settings: IndexerSettings, health: Health) -> AsyncIterator[Caching]:
    if settings.redis_cache_url is None:
        yield Caching(NothingKept())
        return
    async with RedisServer.connected(settings.redis_cache_url.get_secret_value()) as server:
        health.tells_of("cache", server.check)
        yield Caching(RedisReplies(server))
