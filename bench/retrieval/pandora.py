"""Pandora's own way of searching: what `index.import` and `index.search` do, over real stores of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.retrieval.embedding import opened_bench_embedder
from bench.retrieval.postgres import PostgresWords
from bench.retrieval.sets import Document, Query
from bench.retrieval.ways import Way
from bench.running.parts import Installation
from services.indexer.embedding.embedder import Embedder
from services.indexer.generations.locks import ProcessLocks
from services.indexer.generations.writing import Generation
from services.indexer.messages.postgres.messages import PostgresMessageTable
from services.indexer.messages.writing import MessageWriter
from services.indexer.passages.message import message_of_import
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.qdrant.edge import EdgePassageIndex
from services.indexer.search.postgres import PostgresMessageHits
from services.indexer.search.steps import Searching
from shared.contract.requests import ImportedMessage, Search
from shared.language.stems import Stems

_BATCH = 256


class Pandora:
    """Documents are imported as messages; a document is found where a hit stands on it."""

    name = "pandora"

    def __init__(self, remembering: MessageWriter, searching: Searching) -> None:
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
        embedder = await stack.enter_async_context(opened_bench_embedder())
        index = await stack.enter_async_context(
            EdgePassageIndex.open(folder / "turns", embedder.dimension, "turn")
        )
        generation = Generation("bench", embedder, {"turn": index})
        messages = PostgresMessageTable(database)
        hits = PostgresMessageHits(database)
        pandora = Pandora(
            MessageWriter(messages, generation, ProcessLocks()),
            Searching(messages, {"turn": hits}, generation, Stems()),
        )
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
