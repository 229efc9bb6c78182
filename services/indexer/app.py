"""Wires the indexer: which store, which index, which model."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from services.indexer.adapters.erasing import PostgresErasure
from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_exports import PostgresHeldMessages
from services.indexer.adapters.postgres_forgotten import PostgresForgotten
from services.indexer.adapters.postgres_memories import PostgresMemoryTable
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.adapters.qdrant_edge import EdgePassageIndex
from services.indexer.adapters.qdrant_server import ServerPassageIndex
from services.indexer.adapters.sentence_transformers import SentenceTransformerEmbedder
from services.indexer.exporting import Exporting
from services.indexer.forgetting import Forgetting
from services.indexer.generation import Generation
from services.indexer.handlers import Indexer
from services.indexer.hits import Hits, MessageHits
from services.indexer.memories import Memories
from services.indexer.ports import Embedder
from services.indexer.remembering import Remembering
from services.indexer.searching import Searching
from services.indexer.settings import IndexerSettings
from shared.bus import Bus
from shared.deliveries import Batches, Consumer, consuming
from shared.endpoints import Endpoint
from shared.errors import SettingsError, Transient
from shared.events import Event, MemoryExtracted, MemorySaved, TurnCancelled, TurnSaved
from shared.replies import Count, ImportMessages, Kind, ListSessions, ListTurns, Neighbours, Search
from shared.runtime import Health, health_app, serve_http, until_there
from shared.streams import (
    INDEXER_MEMORY_EXTRACTED,
    INDEXER_MEMORY_SAVED,
    INDEXER_TURN_CANCELLED,
    INDEXER_TURN_SAVED,
    Durable,
    wait_for_streams,
)

__all__ = ["migrate", "serve"]

COLLECTIONS: dict[Kind, str] = {"turn": "turns", "memory": "memories", "research": "research"}
_WATCH_SECONDS = 5.0
_ERASE_SECONDS = 120.0
E = TypeVar("E", TurnCancelled, MemorySaved, MemoryExtracted, MemorySaved | MemoryExtracted)
_STATEMENTS = 16
"""In hand at once; they are written one after another."""


async def serve(settings: IndexerSettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serve_http(health_app(health), settings.bind_host, settings.indexer_port, "INDEXER_PORT")
        )
        embedder = await stack.enter_async_context(_embedder(settings))
        bus = await stack.enter_async_context(Bus.connect("indexer", settings))
        await until_there("PostgreSQL", lambda: _migrated(settings))
        database = await stack.enter_async_context(
            Database.connect(
                settings.dsn,
                connections=settings.postgres_pool_connections,
                timeout=settings.request_timeout_seconds,
            )
        )
        indexes = {
            kind: await stack.enter_async_context(_index(settings, kind, embedder)) for kind in COLLECTIONS
        }
        health.depends_on("nats", bus.check)
        health.depends_on("postgres", database.check)
        health.depends_on("qdrant", indexes["turn"].check)

        turns, messages = PostgresTurnTable(database), PostgresMessageTable(database)
        generation = Generation(settings.generation, embedder, indexes)
        remembering = Remembering(messages, generation)
        indexer = Indexer(turns, messages, remembering, generation)
        memories = Memories(PostgresMemoryTable(database), generation)
        hits: dict[Kind, Hits] = {"turn": MessageHits(messages, turns), "memory": memories}
        searching = Searching(messages, hits, generation)
        forgetting = Forgetting(
            PostgresForgotten(database),
            messages,
            memories,
            remembering,
            generation,
            PostgresErasure(settings.dsn, timeout=_ERASE_SECONDS),
        )

        async def write(events: Sequence[TurnSaved]) -> Sequence[Event]:
            await memories.note_uses(events)
            return await indexer.on_turns_saved(events)

        batches: Batches[TurnSaved] = Batches(
            lambda events: forgetting.on_turns_saved(events, write),
            limit=settings.index_batch_turns,
            window_seconds=settings.index_batch_seconds,
        )
        # Two: while one batch is being written, the next one is embedded.
        workers = [asyncio.create_task(batches.run()) for _ in range(2)]
        stack.push_async_callback(_cancel, workers)
        # Before the streams are there: who declares them may have to ask which turn number is the highest.
        await bus.serve(
            "Rows, points and search",
            [
                *_endpoints(indexer, searching),
                *memories.endpoints(),
                *forgetting.endpoints(),
                *Exporting(PostgresHeldMessages(database)).endpoints(),
            ],
        )
        await until_there("the streams", lambda: wait_for_streams(bus.jetstream))
        saved = Consumer(bus, INDEXER_TURN_SAVED, TurnSaved, batches, workers=4 * settings.index_batch_turns)
        cancelled = Consumer(
            bus,
            INDEXER_TURN_CANCELLED,
            TurnCancelled,
            lambda event, delivery: _unless_forgotten(forgetting, event, indexer.on_turn_cancelled),
            workers=settings.postgres_pool_connections,
        )
        stated = _stated(bus, memories, forgetting)
        watch = asyncio.create_task(_watch_counts(indexer))
        stack.push_async_callback(_cancel, [watch])
        await stack.enter_async_context(consuming(bus, saved, cancelled, *stated))
        await health.run_until_stopped()


def _stated(bus: Bus, memories: Memories, forgetting: Forgetting) -> list[Consumer[Any]]:
    """Whoever states something that lasts, it is kept in the same way."""
    kinds: dict[Durable, type[MemorySaved] | type[MemoryExtracted]] = {
        INDEXER_MEMORY_SAVED: MemorySaved,
        INDEXER_MEMORY_EXTRACTED: MemoryExtracted,
    }
    return [
        Consumer(
            bus,
            durable,
            kind,
            lambda event, _: _unless_forgotten(forgetting, event, memories.on_memory_stated),
            workers=_STATEMENTS,
        )
        for durable, kind in kinds.items()
    ]


async def _unless_forgotten(
    forgetting: Forgetting, event: E, handle: Callable[[E], Awaitable[Sequence[Event]]]
) -> Sequence[Event]:
    return [] if await forgetting.is_forgotten(event) else await handle(event)


def _endpoints(indexer: Indexer, searching: Searching) -> list[Endpoint]:
    return [
        Endpoint(Search, lambda request, send: searching.search(request)),
        Endpoint(ImportMessages, lambda request, send: indexer.import_messages(request)),
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
async def _index(
    settings: IndexerSettings, kind: Kind, embedder: Embedder
) -> AsyncIterator[EdgePassageIndex | ServerPassageIndex]:
    name, dimension = COLLECTIONS[kind], embedder.dimension
    if settings.qdrant_url is None:
        folder = settings.pandora_data_dir / "qdrant" / settings.generation / name
        async with EdgePassageIndex.open(folder, dimension, kind) as embedded:
            yield embedded
    else:
        key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
        async with ServerPassageIndex.connect(
            settings.qdrant_url,
            api_key=key,
            timeout=settings.request_timeout_seconds,
            collection=f"{name}-{settings.generation}",
            dimension=dimension,
            kind=kind,
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
