"""Fills an installation with messages: rows and points as they would be, but for vectors that are made up.

Texts are sentences, so that BM25 is real; vectors are random unit vectors, since to embed 200,000 texts takes
half an hour. That is no favour: random vectors have no near neighbours, the hardest case for a graph.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, groupby, islice
from pathlib import Path

import asyncpg
import msgspec
import numpy

from bench.index.indexed import saved_turns
from bench.running.parts import Installation
from services.indexer.generations.open_collections import OpenCollections
from services.indexer.generations.postgres import PostgresGenerations
from services.indexer.generations.startup import open_live
from services.indexer.generations.table import Wanted, name_of
from services.indexer.messages.postgres.messages import row_of as row_of_message
from services.indexer.messages.postgres.turns import WRITTEN
from services.indexer.messages.postgres.turns import row_of as row_of_turn
from services.indexer.passages.message import StoredMessage, messages_of
from services.indexer.passages.passage import Vectors, near_vectors, passages_of
from services.indexer.postgres.database import Database
from services.indexer.postgres.migrations import migrate
from services.indexer.qdrant.collections import NAMES, EdgeCollections
from services.indexer.qdrant.edge import EdgePassageIndex
from services.indexer.qdrant.edge_queries import upserted
from services.indexer.settings import IndexerSettings
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.contract.events import TurnSaved
from shared.process.files import files_below

MADE_UP = "bench.index.made_up"
"""The module that runs as indexer over such vectors."""
DIMENSION = 384
_OF_A_TURN = 2
_BATCH_TURNS = 500
_MESSAGES: tuple[str, ...] = (
    "point_id",
    "user_id",
    "session_id",
    "message_id",
    "speaker",
    "role",
    "text",
    "at",
    "turn_id",
)
_MESSAGES += ("turn_number", "is_echo", "labels", "ordinal", "indexed")
_SPEAKERS = """
INSERT INTO pandora.speakers (user_id, speaker) SELECT DISTINCT user_id, speaker FROM pandora.messages
"""


class Said(msgspec.Struct, frozen=True):
    """How much was said, by how many."""

    users: int
    messages_each: int

    @property
    def messages(self) -> int:
        return self.users * self.messages_each

    def names(self) -> list[str]:
        return [f"user-{number}" for number in range(self.users)]


async def fill(installation: Installation, said: Said, *, optimize_seconds: float) -> bool:
    """While NATS and PostgreSQL run, and the indexer does not.

    False where to merge segments and build graphs took too long: searches look at all points of a user.
    """
    settings = installation.settings.indexer
    await migrate(settings.dsn)
    async with (
        Database.connect(settings.dsn, connections=2, timeout=60) as database,
        _index(settings, database) as index,
    ):
        await _fill(settings.dsn, index, said)
        try:
            async with asyncio.timeout(optimize_seconds):
                return await index._shard.rewrite()
        except TimeoutError:
            return False


async def declare_after(installation: Installation, said: Said) -> None:
    """The streams, so that the next turn's number comes after those of what was said."""
    settings = installation.settings.local.model_copy(update={"request_timeout_seconds": 30.0})
    async with Bus.connect("orchestrator", settings) as bus:
        await declare_streams(bus.jetstream, first_turn_number=1 + said.messages)


@asynccontextmanager
async def _index(settings: IndexerSettings, database: Database) -> AsyncIterator[EdgePassageIndex]:
    """The one that the indexer will find."""
    collections = EdgeCollections(settings.pandora_data_dir / "qdrant")
    wanted = Wanted(model=settings.embedding_model, name=name_of(settings.embedding_model), kinds=list(NAMES))
    async with OpenCollections.none_yet(collections, _no_model) as opened:
        _, generations = await open_live(PostgresGenerations(database), opened, wanted)
        index = generations.live.indexes["turn"]
        assert isinstance(index, EdgePassageIndex)
        yield index


class _NoModel:
    """Embedder that is asked for its dimension alone."""

    dimension = DIMENSION
    engine = "none"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        raise AssertionError("this bench writes vectors of its own; nothing is embedded")

    async def embed_query(self, text: str) -> Vectors:
        raise AssertionError("this bench asks nothing here; no question is embedded")

    def familiarity(self, text: str) -> float:
        return 1.0

    def count_tokens(self, texts: Sequence[str]) -> int:
        return len(texts)

    def forget_queries(self) -> None:
        """It keeps none."""


@asynccontextmanager
async def _no_model(model: str) -> AsyncIterator[_NoModel]:
    yield _NoModel()


async def _fill(dsn: str, index: EdgePassageIndex, said: Said) -> None:
    random = numpy.random.default_rng(seed=6)
    connection = await asyncpg.connect(dsn)
    try:
        for turns in _turns(said):
            await _write(connection, index, turns, random)
        await connection.execute(_SPEAKERS)
        await connection.execute("ANALYZE pandora.messages, pandora.turns")
    finally:
        await connection.close()


def _turns(said: Said) -> Iterator[list[TurnSaved]]:
    """All of them, some at a time; users one after the other, each with sentences of their own."""
    each = said.messages_each // _OF_A_TURN
    saved = chain.from_iterable(
        islice(saved_turns(seed=100 + number, first_number=1 + number * each, user=user), each)
        for number, user in enumerate(said.names())
    )
    while batch := list(islice(saved, _BATCH_TURNS)):
        yield batch


async def _write(
    connection: asyncpg.Connection,
    index: EdgePassageIndex,
    turns: Sequence[TurnSaved],
    random: numpy.random.Generator,
) -> None:
    runs = [_stored(list(own)) for _, own in groupby(turns, key=lambda turn: (turn.user, turn.session_id))]
    messages = list(chain(*runs))
    await connection.copy_records_to_table(
        "messages",
        schema_name="pandora",
        columns=_MESSAGES,
        records=[(*row_of_message(message), message.ordinal, True) for message in messages],
    )
    await connection.copy_records_to_table(
        "turns", schema_name="pandora", columns=WRITTEN, records=map(row_of_turn, turns)
    )
    passages = list(chain(*map(passages_of, runs)))
    vectors = random.standard_normal((len(passages), DIMENSION), dtype=numpy.float32)
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    operation = await asyncio.to_thread(upserted, passages, vectors, near_vectors(vectors))
    # Not by the index's own `upsert`, which would begin to merge segments meanwhile.
    await index._shard.write(operation)


def _stored(turns: Sequence[TurnSaved]) -> list[StoredMessage]:
    """Consecutive turns of one session. Their places in it begin anywhere, and have no gap."""
    return [
        StoredMessage(
            **{name: getattr(message, name) for name in message.__struct_fields__},
            ordinal=turn.turn_number * _OF_A_TURN + place,
            uses=0,
            indexed=True,
        )
        for turn in turns
        for place, message in enumerate(messages_of(turn))
    ]


def bytes_of(folder: Path) -> int:
    """On disk; files that vanish meanwhile count nothing."""
    size = 0
    for file in files_below(folder):
        with contextlib.suppress(FileNotFoundError):
            size += file.stat().st_blocks * 512
    return size
