"""Builds the rooms of the indexer over its stores."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from services.indexer.app.readiness import Readiness
from services.indexer.app.stores import Stores
from services.indexer.consistency.checking import Checking
from services.indexer.consistency.mending import Mending
from services.indexer.consistency.postgres import PostgresTurnsWithoutMessages
from services.indexer.embedding.requests import Embeddings
from services.indexer.forgetting.arrivals import Arrivals
from services.indexer.forgetting.late_events import LateEvents
from services.indexer.forgetting.nats import erase_message, erase_stored
from services.indexer.forgetting.postgres.arrivals import PostgresArrivals
from services.indexer.forgetting.postgres.debts import PostgresDebts
from services.indexer.forgetting.postgres.erasure import PostgresErasure
from services.indexer.forgetting.postgres.forgotten import PostgresForgotten
from services.indexer.forgetting.receipts import Receipts
from services.indexer.forgetting.steps import Forgetting
from services.indexer.generations.backfill import Rows
from services.indexer.generations.reindexing import Pace, Reindexer
from services.indexer.memories.postgres.memories import PostgresMemoryTable
from services.indexer.memories.postgres.rows import PostgresMemoryRows
from services.indexer.memories.steps import Memories
from services.indexer.messages.exports import MessageExport
from services.indexer.messages.listing import Listing
from services.indexer.messages.postgres.exports import PostgresMessagePages
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.postgres.rows import PostgresMessageRows
from services.indexer.messages.postgres.turns import PostgresTurnTable
from services.indexer.messages.turns import EndedTurns
from services.indexer.messages.writing import MessageWriter
from services.indexer.research.expiry import PageExpiry
from services.indexer.research.postgres.pages import PostgresResearchTable
from services.indexer.research.postgres.rows import PostgresPageRows
from services.indexer.research.postgres.sources import PostgresSources
from services.indexer.research.reading import PageReader
from services.indexer.research.sources import Sources
from services.indexer.research.writing import PageWriter
from services.indexer.search.hits import Hits
from services.indexer.search.outdated import DatedHits
from services.indexer.search.postgres import PostgresMessageHits
from services.indexer.search.recall import Recalling
from services.indexer.search.steps import Searching
from services.indexer.settings import IndexerSettings
from services.indexer.usage.observability import Observability
from services.indexer.usage.postgres import PostgresObservability
from shared.bus.connection import Bus
from shared.bus.streams import MEMORIES, OUTCOMES, RESEARCH
from shared.contract.requests import Kind
from shared.language.stems import Stems

_STREAMS = [str(stream.name) for stream in (OUTCOMES, MEMORIES, RESEARCH)]
_ERASE_SECONDS = 3600.0
_WATCH_SECONDS = 15.0
_DAY_SECONDS = 24 * 3600.0


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Those that take events, and all that answer requests or work in the background."""

    turns: EndedTurns
    memories: Memories
    pages: PageWriter
    sources: Sources
    observability: Observability
    late_events: LateEvents
    answering: Sequence[object]
    """Their endpoints answer the requests to the indexer."""
    background: Sequence[Callable[[], Awaitable[None]]]


def built(settings: IndexerSettings, stores: Stores, bus: Bus) -> Parts:
    database, generation, stems = stores.database, stores.generation, Stems()
    turns, messages = PostgresTurnTable(database), PostgresMessageTable(database)
    writer, listing = MessageWriter(messages, generation, stores.locks), Listing(turns, messages, generation)
    ended_turns = EndedTurns(turns, messages, writer, generation)
    memory_table = PostgresMemoryTable(database)
    memories = Memories(memory_table, generation, stores.locks)
    pages, sources = PostgresResearchTable(database), Sources(PostgresSources(database))
    page_writer = PageWriter(pages, generation, stores.locks)
    page_reader = PageReader(pages, sources, generation)
    observability = Observability(PostgresObservability(database))
    dated = DatedHits(PostgresMessageHits(database), memory_table)
    hits: dict[Kind, Hits] = {"turn": dated, "memory": memories, "research": page_reader}
    searching = Searching(messages, hits, generation, stems, sources)
    forgotten, debts = PostgresForgotten(database), PostgresDebts(database)
    arrivals = Arrivals(PostgresArrivals(database, _STREAMS), partial(erase_stored, bus))
    erasure = PostgresErasure(settings.dsn, timeout=_ERASE_SECONDS)
    forgetting = Forgetting(
        forgotten, debts, messages, writer, memories, page_writer, arrivals, generation, erasure, stems
    )
    reindexer, mending, checking = _upkeep(settings, stores, writer, memories, page_writer)
    export, every = MessageExport(PostgresMessagePages(database)), 60 * settings.index_mend_minutes
    return Parts(
        turns=ended_turns,
        memories=memories,
        pages=page_writer,
        sources=sources,
        observability=observability,
        late_events=LateEvents(forgotten, arrivals, forgetting, partial(erase_message, bus)),
        answering=[
            *(ended_turns, listing, export, searching, Recalling(searching, turns), memories, page_reader),
            *(sources, observability, forgetting, Receipts(forgotten, debts), arrivals),
            *(reindexer, checking, Readiness(stores), _embeddings(stores)),
        ],
        background=[
            partial(listing.watch_counts, _WATCH_SECONDS),
            reindexer.run,
            partial(mending.run, every),
            partial(PageExpiry(pages, page_writer).run, every),
            partial(observability.run_sweeps, _DAY_SECONDS),
            partial(arrivals.run_sweeps, _DAY_SECONDS),
        ],
    )


def _embeddings(stores: Stores) -> Embeddings:
    """By the model of the settings, also while the collections are those of another one."""
    model = stores.wanted.model
    return Embeddings(model, partial(stores.opened.load, model))


def _upkeep(
    settings: IndexerSettings, stores: Stores, writer: MessageWriter, memories: Memories, pages: PageWriter
) -> tuple[Reindexer, Mending, Checking]:
    database, generation = stores.database, stores.generation
    rows: dict[Kind, Rows] = {
        "turn": PostgresMessageRows(database, writer.lock),
        "memory": PostgresMemoryRows(database, memories.lock),
        "research": PostgresPageRows(database, pages.lock),
    }
    pace = Pace()
    if settings.qdrant_url is not None:  # A server may have several indexers, which need time to notice.
        pace = Pace(notice_seconds=3 * pace.look_seconds)
    reindexer = Reindexer(
        stores.generations, stores.opened, generation, stores.live_row, rows, stores.wanted, pace
    )
    turns = PostgresTurnsWithoutMessages(database)
    mending = Mending(turns, rows, writer, generation, stores.opened.remove_first)
    return reindexer, mending, Checking(rows, generation, mending)
