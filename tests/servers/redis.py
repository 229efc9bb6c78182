"""The embedded Redis servers, as the launcher starts them, for tests that stop, freeze and kill them."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.order import REDIS, REDIS_CACHE
from deploy.local.parts import NotReady, Part
from deploy.local.redis import RedisParts
from deploy.local.settings import LocalSettings
from tests.servers.ports import free_ports
from tests.servers.processes import HeldServer


class EmbeddedServer(HeldServer):
    """One of the two. Its port and its folder stay while a test stops it and starts it again."""

    def __init__(self, part: Part, url: str) -> None:
        super().__init__()
        self._part = part
        self.url = url

    async def start(self) -> None:
        assert self._part.prepare is not None
        await self._part.prepare()
        self._process = await asyncio.create_subprocess_exec(
            *self._part.command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while True:
                try:
                    return await self._part.probe()
                except NotReady:
                    await asyncio.sleep(0.01)


@asynccontextmanager
async def embedded_redis(folder: Path, name: str) -> AsyncIterator[EmbeddedServer]:
    """`name` is `redis` or `redis-cache`."""
    counts, cache = free_ports(2)
    known = {"pandora_data_dir": folder, "redis_port": counts, "redis_cache_port": cache}
    settings = LocalSettings.model_validate(known)
    parts = RedisParts(settings)
    setting = {REDIS: "REDIS_URL", REDIS_CACHE: "REDIS_CACHE_URL"}[name]
    [part] = [part for part in parts.parts() if part.name == name]
    server = EmbeddedServer(part, parts.environment()[setting])
    await server.start()
    try:
        yield server
    finally:
        await server.stop(signal.SIGKILL)
