"""Opens the stores that the settings name: PostgreSQL, the model, and the collections."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial

import asyncpg
import msgspec

from services.indexer.app.embedding import opened_embedder
from services.indexer.generations.live import LiveGeneration
from services.indexer.generations.locks import Locks, ProcessLocks
from services.indexer.generations.open_collections import Collections, OpenCollections
from services.indexer.generations.postgres import PostgresGenerations, PostgresLocks
from services.indexer.generations.startup import open_live
from services.indexer.generations.table import GenerationRow, Wanted, name_of
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.qdrant.collections import NAMES, EdgeCollections
from services.indexer.settings import IndexerSettings
from shared.contract.errors import Transient
from shared.process.environment import SettingsError
from shared.process.retrying import until_there


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """Open until the stack that opened them is left."""

    database: Database
    opened: OpenCollections
    generations: PostgresGenerations
    wanted: Wanted
    live_row: GenerationRow
    generation: LiveGeneration
    locks: Locks


async def opened_collections(stack: AsyncExitStack, settings: IndexerSettings) -> OpenCollections:
    """Loads the model first: a wrong name is an error before anything is waited for."""
    opened = await stack.enter_async_context(
        OpenCollections.none_yet(_collections(settings), partial(opened_embedder, settings))
    )
    await opened.load(settings.embedding_model)
    return opened


async def opened_stores(stack: AsyncExitStack, settings: IndexerSettings, opened: OpenCollections) -> Stores:
    """Waits for PostgreSQL and Qdrant."""
    await until_there("PostgreSQL", lambda: _migrated(settings))
    database = await stack.enter_async_context(_connected(settings))
    generations, model = PostgresGenerations(database), settings.embedding_model
    wanted = Wanted(model=model, name=name_of(model), kinds=list(NAMES))
    live_row, generation = await until_there("Qdrant", lambda: open_live(generations, opened, wanted))
    return Stores(
        database=database,
        opened=opened,
        generations=generations,
        wanted=wanted,
        live_row=live_row,
        generation=generation,
        locks=await _locks(stack, settings),
    )


async def _locks(stack: AsyncExitStack, settings: IndexerSettings) -> Locks:
    """The engine's folder belongs to one process. A server may have several indexers."""
    if settings.qdrant_url is None:
        return ProcessLocks()
    return PostgresLocks(await stack.enter_async_context(_connected(settings)))


def _connected(settings: IndexerSettings) -> AbstractAsyncContextManager[Database]:
    return Database.connect(
        settings.dsn,
        connections=settings.postgres_pool_connections,
        timeout=settings.request_timeout_seconds,
    )


def _collections(settings: IndexerSettings) -> Collections:
    if settings.qdrant_url is None:
        return EdgeCollections(settings.pandora_data_dir / "qdrant", settings.disk)
    # Imported here: the client takes half a second and 40 MiB, and only a server needs it.
    from services.indexer.qdrant.server_collections import ServerCollections

    key = settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
    return ServerCollections(settings.qdrant_url, api_key=key, timeout=settings.request_timeout_seconds)


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
