"""Wires the indexer, and runs it until it has to stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from services.indexer.app.caching import opened_caching
from services.indexer.app.consumers import consumers, turn_batches
from services.indexer.app.parts import built
from services.indexer.app.stores import opened_collections, opened_stores
from services.indexer.settings import IndexerSettings
from shared.bus.connection import Bus
from shared.bus.declaration import wait_for_streams
from shared.bus.deliveries import consuming
from shared.bus.endpoints import endpoints_of
from shared.process.health import Health, health_app
from shared.process.http import serve_http
from shared.process.retrying import until_there


async def serve(settings: IndexerSettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serve_http(health_app(health), settings.bind_host, settings.indexer_port, "INDEXER_PORT")
        )
        opened = await opened_collections(stack, settings)
        bus = await stack.enter_async_context(Bus.connect("indexer", settings))
        stores = await opened_stores(stack, settings, opened)
        health.depends_on("disk", settings.disk.check)
        health.depends_on("nats", bus.check)
        health.depends_on("postgres", stores.database.check)
        health.depends_on("qdrant", stores.generation.check)

        caching = await stack.enter_async_context(opened_caching(settings, health))
        parts = built(settings, stores, bus)
        batches = turn_batches(settings, parts, caching)
        # Two: while one batch is being written, the next one is embedded.
        await stack.enter_async_context(_running([batches.run, batches.run]))
        # Before the streams are there: the process that declares them may ask for the highest turn number.
        await bus.serve("Rows, points and search", caching.over(endpoints_of(*parts.answering)))
        await until_there("the streams", lambda: wait_for_streams(bus.jetstream))
        await stack.enter_async_context(_running(parts.background))
        await stack.enter_async_context(consuming(bus, *consumers(settings, bus, parts, batches, caching)))
        await health.run_until_stopped()


@asynccontextmanager
async def _running(tasks: Sequence[Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Cancels them when it is left."""
    running = [asyncio.ensure_future(task()) for task in tasks]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
