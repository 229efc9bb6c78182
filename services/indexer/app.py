"""Wires the indexer: which store, which index, which model."""

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import asyncpg

from services.indexer.adapters.collections import NAMES, EdgeCollections, ServerCollections
from services.indexer.adapters.erasing import PostgresErasure
from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.nats_late import erase_message
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_counted import PostgresObservability, PostgresSources
from services.indexer.adapters.postgres_exports import PostgresHeldMessages
from services.indexer.adapters.postgres_forgotten import PostgresForgotten
from services.indexer.adapters.postgres_generations import PostgresGenerations
from services.indexer.adapters.postgres_memories import PostgresMemoryTable
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_research import PostgresResearchTable
from services.indexer.adapters.postgres_rows import (
    PostgresMemoryRows,
    PostgresMessageRows,
    PostgresPageRows,
    PostgresUnsaidTurns,
)
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.adapters.sentence_transformers import SentenceTransformerEmbedder
from services.indexer.consumers import Consumers
from services.indexer.exporting import Exporting
from services.indexer.filling import Rows
from services.indexer.forgetting import Forgetting
from services.indexer.generation import Generations
from services.indexer.generations import Collections, GenerationRow, Model, Opened
from services.indexer.handlers import Indexer
from services.indexer.hits import Hits, MessageHits
from services.indexer.memories import Memories
from services.indexer.mending import Mending
from services.indexer.observing import Observing
from services.indexer.outdated import DatedHits
from services.indexer.reindexing import Pace, Reindexer, Wanted, open_live
from services.indexer.remembering import Remembering
from services.indexer.research import Research
from services.indexer.searching import Searching
from services.indexer.settings import IndexerSettings
from services.indexer.sources import Sources
from shared.bus import Bus
from shared.declaring import wait_for_streams
from shared.deliveries import Batches, consuming
from shared.endpoints import Endpoint
from shared.errors import SettingsError, Transient
from shared.events import Event, TurnSaved
from shared.replies import Count, ImportMessages, Kind, ListSessions, ListTurns, Neighbours, Search
from shared.runtime import Health, health_app, serve_http, until_there

__all__ = ["migrate", "serve"]

_WATCH_SECONDS = 5.0
_ERASE_SECONDS = 120.0
_DAY_SECONDS = 24 * 3600.0


async def serve(settings: IndexerSettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serve_http(health_app(health), settings.bind_host, settings.indexer_port, "INDEXER_PORT")
        )
        opened = await stack.enter_async_context(Opened.nothing(_collections(settings), _model(settings)))
        await opened.load(settings.embedding_model)  # A wrong name is told before anything is waited for.
        bus = await stack.enter_async_context(Bus.connect("indexer", settings))
        await until_there("PostgreSQL", lambda: _migrated(settings))
        database = await stack.enter_async_context(
            Database.connect(
                settings.dsn,
                connections=settings.postgres_pool_connections,
                timeout=settings.request_timeout_seconds,
            )
        )
        table, wanted = PostgresGenerations(database), _wanted(settings)
        live, generation = await _opened_live(table, opened, wanted)
        health.depends_on("nats", bus.check)
        health.depends_on("postgres", database.check)
        health.depends_on("qdrant", generation.check)

        turns, messages = PostgresTurnTable(database), PostgresMessageTable(database)
        remembering = Remembering(messages, generation)
        indexer = Indexer(turns, messages, remembering, generation)
        memory_table = PostgresMemoryTable(database)
        memories = Memories(memory_table, generation)
        sources, observing = Sources(PostgresSources(database)), Observing(PostgresObservability(database))
        research = Research(PostgresResearchTable(database), sources, generation)
        rows: dict[Kind, Rows] = {
            "turn": PostgresMessageRows(database, remembering.held),
            "memory": PostgresMemoryRows(database, memories.held),
            "research": PostgresPageRows(database, research.held),
        }
        reindexer = Reindexer(table, opened, generation, live, rows, wanted, _pace(settings))
        mending = Mending(PostgresUnsaidTurns(database), rows, remembering, generation, opened.remove_first)
        hits: dict[Kind, Hits] = {
            "turn": DatedHits(MessageHits(messages, turns), memory_table),
            "memory": memories,
            "research": research,
        }
        searching = Searching(messages, hits, generation, sources)
        forgetting = Forgetting(
            PostgresForgotten(database),
            messages,
            memories,
            research,
            remembering,
            generation,
            PostgresErasure(settings.dsn, timeout=_ERASE_SECONDS),
        )

        async def write(events: Sequence[TurnSaved]) -> Sequence[Event]:
            await memories.note_uses(events)
            await observing.on_turns_saved(events)
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
                *research.endpoints(),
                *sources.endpoints(),
                *observing.endpoints(),
                *forgetting.endpoints(),
                *reindexer.endpoints(),
                *mending.endpoints(),
                *Exporting(PostgresHeldMessages(database)).endpoints(),
            ],
        )
        await until_there("the streams", lambda: wait_for_streams(bus.jetstream))

        consumers = Consumers(bus, forgetting, partial(erase_message, bus))
        taking = [
            consumers.turns(batches, workers=4 * settings.index_batch_turns),
            consumers.cancelled(indexer, workers=settings.postgres_pool_connections),
            *consumers.statements(memories),
            consumers.pages(research),
            consumers.observations(sources),
        ]
        background = [
            asyncio.create_task(_watch_counts(indexer)),
            asyncio.create_task(reindexer.run()),
            asyncio.create_task(mending.run(60 * settings.index_mend_minutes)),
            asyncio.create_task(research.run_sweeps(60 * settings.index_mend_minutes)),
            asyncio.create_task(observing.run_sweeps(_DAY_SECONDS)),
        ]
        stack.push_async_callback(_cancel, background)
        await stack.enter_async_context(consuming(bus, *taking))
        await health.run_until_stopped()


def _endpoints(indexer: Indexer, searching: Searching) -> list[Endpoint]:
    return [
        Endpoint(Search, lambda request, send: searching.search(request)),
        Endpoint(ImportMessages, lambda request, send: indexer.import_messages(request)),
        Endpoint(ListTurns, lambda request, send: indexer.list_turns(request)),
        Endpoint(ListSessions, lambda request, send: indexer.list_sessions(request)),
        Endpoint(Neighbours, lambda request, send: indexer.neighbours(request)),
        Endpoint(Count, lambda request, send: indexer.count(request)),
    ]


def _model(settings: IndexerSettings) -> Model:
    return lambda name: SentenceTransformerEmbedder.load(
        name,
        dtype=settings.embedding_dtype,
        threads=settings.embedding_threads,
        batch_texts=settings.embedding_batch_texts,
        cache_entries=settings.query_cache_entries,
    )


def _collections(settings: IndexerSettings) -> Collections:
    if settings.qdrant_url is None:
        return EdgeCollections(settings.pandora_data_dir / "qdrant")
    key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
    return ServerCollections(settings.qdrant_url, api_key=key, timeout=settings.request_timeout_seconds)


def _wanted(settings: IndexerSettings) -> Wanted:
    return Wanted(model=settings.embedding_model, name=settings.generation, kinds=list(NAMES))


def _pace(settings: IndexerSettings) -> Pace:
    """Qdrant's engine is in one process; a server may have several indexers before it."""
    pace = Pace()
    return pace if settings.qdrant_url is None else Pace(notice_seconds=3 * pace.look_seconds)


async def _opened_live(
    table: PostgresGenerations, opened: Opened, wanted: Wanted
) -> tuple[GenerationRow, Generations]:
    found: list[tuple[GenerationRow, Generations]] = []

    async def attempt() -> None:
        found.append(await open_live(table, opened, wanted))

    await until_there("Qdrant", attempt)
    return found[0]


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
