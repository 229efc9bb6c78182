"""Pandora's own way of searching: what `index.import` and `index.search` do, over real stores of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.parts import Installation
from bench.retrieval.embedding import opened_embedder
from bench.retrieval.postgres import PostgresWords
from bench.retrieval.sets import Document, Query
from bench.retrieval.ways import Way
from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.adapters.qdrant_edge import EdgePassageIndex
from services.indexer.domain.messages import message_of_import
from services.indexer.generation import Generation
from services.indexer.hits import MessageHits
from services.indexer.ports import Embedder
from services.indexer.remembering import Remembering
from services.indexer.searching import Searching
from shared.replies import ImportedMessage, Search

_BATCH = 256


class Pandora:
    """Documents are imported as messages; a document is found where a hit stands on it."""

    name = "pandora"

    def __init__(self, remembering: Remembering, searching: Searching) -> None:
        self._remembering = remembering
        self._searching = searching

    async def index(self, corpus: Sequence[Document]) -> None:
        for begin in range(0, len(corpus), _BATCH):
            await self._remembering.add(
                [message_of_import(one.metadata.user, _said(one)) for one in corpus[begin : begin + _BATCH]]
            )

    async def search(self, query: Query, limit: int) -> list[str]:
        found = await self._searching.search(
            Search(user=query.metadata.user, query=query.text, limit=limit, kinds=["turn"])
        )
        return [message_id for hit in found.hits for message_id in hit.message_ids][:limit]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Embedder, list[Way]]]:
    """The embedder without its cache of questions, and ways over empty stores."""
    installation = Installation(folder / "stores")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(installation.running("postgres"))
        dsn = installation.settings.indexer.dsn
        await migrate(dsn)
        database = await stack.enter_async_context(Database.connect(dsn, connections=4, timeout=60))
        embedder = await stack.enter_async_context(opened_embedder())
        index = await stack.enter_async_context(
            EdgePassageIndex.open(folder / "turns", embedder.dimension, "turn")
        )
        generation = Generation("bench", embedder, {"turn": index})
        messages = PostgresMessageTable(database)
        hits = MessageHits(messages, PostgresTurnTable(database))
        pandora = Pandora(Remembering(messages, generation), Searching(messages, {"turn": hits}, generation))
        yield embedder, [PostgresWords(dsn), pandora]


def _said(document: Document) -> ImportedMessage:
    """A document of no conversation is a session of its own."""
    of = document.metadata
    return ImportedMessage(
        session_id=of.session_id or document.id,
        message_id=document.id,
        speaker=of.speaker or "document",
        text=f"{document.title}\n{document.text}".strip() or "-",
        at=datetime.fromisoformat(of.at) if of.at else datetime(1970, 1, 1, tzinfo=UTC),
    )
