"""Wires the indexer: which store, which index, which model."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import asyncpg

from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import PostgresTurnTable
from services.indexer.adapters.qdrant_edge import EdgeTurnIndex
from services.indexer.adapters.qdrant_server import ServerTurnIndex
from services.indexer.adapters.sentence_transformers import SentenceTransformerEmbedder
from services.indexer.handlers import Indexer
from services.indexer.settings import IndexerSettings
from shared.bus import Bus
from shared.deliveries import Batches, Consumer, consuming
from shared.endpoints import Endpoint
from shared.errors import SettingsError, Transient
from shared.events import TurnCancelled, TurnSaved
from shared.replies import Count, ListSessions, ListTurns, Neighbours, Search
from shared.runtime import Health, health_app, serve_http, until_there
from shared.streams import INDEXER_TURN_CANCELLED, INDEXER_TURN_SAVED, wait_for_streams

__all__ = ["migrate", "serve"]

_WATCH_SECONDS = 5.0


async def serve(settings: IndexerSettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serve_http(health_app(health), settings.bind_host, settings.indexer_port, "INDEXER_PORT")
        )
        embedder = await stack.enter_async_context(_embedder(settings))
        bus = await stack.enter_async_context(Bus.connect("indexer", settings))
        await until_there("PostgreSQL", lambda: _migrated(settings))
        table = await stack.enter_async_context(
            PostgresTurnTable.connect(
                settings.dsn,
                connections=settings.postgres_pool_connections,
                timeout=settings.request_timeout_seconds,
            )
        )
        index = await stack.enter_async_context(_index(settings, embedder.dimension))
        health.depends_on("nats", bus.check)
        health.depends_on("postgres", table.check)
        health.depends_on("qdrant", index.check)

        indexer = Indexer(table, index, embedder)
        batches = Batches(
            indexer.on_turns_saved,
            limit=settings.index_batch_turns,
            window_seconds=settings.index_batch_seconds,
        )
        # Two: while one batch is being written, the next one is embedded.
        workers = [asyncio.create_task(batches.run()) for _ in range(2)]
        stack.push_async_callback(_cancel, workers)
        # Before the streams are there: who declares them may have to ask which turn number is the highest.
        await bus.serve("Rows, points and search", _endpoints(indexer))
        await until_there("the streams", lambda: wait_for_streams(bus.jetstream))
        saved = Consumer(bus, INDEXER_TURN_SAVED, TurnSaved, batches, workers=4 * settings.index_batch_turns)
        cancelled = Consumer(
            bus,
            INDEXER_TURN_CANCELLED,
            TurnCancelled,
            lambda event, delivery: indexer.on_turn_cancelled(event),
            workers=settings.postgres_pool_connections,
        )
        watch = asyncio.create_task(_watch_counts(indexer))
        stack.push_async_callback(_cancel, [watch])
        await stack.enter_async_context(consuming(bus, saved, cancelled))
        await health.run_until_stopped()


def _endpoints(indexer: Indexer) -> list[Endpoint]:
    return [
        Endpoint(Search, lambda request, send: indexer.search(request)),
        Endpoint(ListTurns, lambda request, send: indexer.list_turns(request)),
        Endpoint(ListSessions, lambda request, send: indexer.list_sessions(request)),
        Endpoint(Neighbours, lambda request, send: indexer.neighbours(request)),
        Endpoint(Count, lambda request, send: indexer.count(request)),
    ]


def _embedder(settings: IndexerSettings) -> AbstractAsyncContextManager[SentenceTransformerEmbedder]:
    return SentenceTransformerEmbedder.load(
        settings.embedding_model,
        dtype=settings.embedding_dtype,
        threads=settings.embedding_threads,
        batch_texts=settings.embedding_batch_texts,
        cache_entries=settings.query_cache_entries,
    )


@asynccontextmanager
async def _index(settings: IndexerSettings, dimension: int) -> AsyncIterator[EdgeTurnIndex | ServerTurnIndex]:
    if settings.qdrant_url is None:
        async with EdgeTurnIndex.open(settings.pandora_data_dir / "qdrant" / "turns", dimension) as embedded:
            yield embedded
    else:
        key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
        async with ServerTurnIndex.connect(
            settings.qdrant_url, api_key=key, dimension=dimension, timeout=settings.request_timeout_seconds
        ) as server:
            yield server


async def _migrated(settings: IndexerSettings) -> None:
    """Raises Transient while the server does not answer yet, SettingsError where it never will."""
    try:
        await migrate(settings.dsn)
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError) as error:
        raise SettingsError(
            f"DATABASE_URL or POSTGRES_*: {error}. Correct the user, password or database."
        ) from error
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
        raise Transient(str(error)) from error


async def _watch_counts(indexer: Indexer) -> None:
    """Keeps the numbers of rows and points on the dashboards."""
    while True:
        with contextlib.suppress(Transient):
            await indexer.count(Count())
        await asyncio.sleep(_WATCH_SECONDS)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
