"""Points in Qdrant's own engine, inside this process, in a folder: the embedded default."""

import asyncio
import fcntl
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import qdrant_edge as edge

from services.indexer.adapters import words
from services.indexer.domain.fusion import Candidate
from services.indexer.domain.passages import ECHO, Passage
from services.indexer.ports import Vectors
from shared.errors import SettingsError

log = logging.getLogger(__name__)
WORDS = "words"
_OPTIMIZE_AFTER_POINTS = 2_000
_INDEXES: dict[str, object] = {
    "user": edge.KeywordIndexParams(is_tenant=True),
    "session_id": edge.PayloadSchemaType.Keyword,
    "intent": edge.PayloadSchemaType.Keyword,
    "topic": edge.PayloadSchemaType.Text,
    "turn_number": edge.PayloadSchemaType.Integer,
    "timestamp": edge.PayloadSchemaType.Datetime,
    "quality": edge.PayloadSchemaType.Float,
    "is_echo": edge.PayloadSchemaType.Keyword,
}


class EdgeTurnIndex:
    """TurnIndex over one Qdrant Edge shard. The engine blocks, so each call runs in a thread."""

    def __init__(self, shard: edge.EdgeShard) -> None:
        self._shard = shard
        self._writing = asyncio.Lock()
        self._unoptimized = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, dimension: int) -> AsyncIterator["EdgeTurnIndex"]:
        """Raises SettingsError where another process has the folder open or its vectors have another size."""
        with _lock(folder):
            shard = await asyncio.to_thread(_open_shard, folder, dimension)
            index = cls(shard)
            upkeep = asyncio.create_task(index._keep_optimized())
            try:
                yield index
            finally:
                upkeep.cancel()
                with suppress(asyncio.CancelledError):
                    await upkeep
                await asyncio.to_thread(_close_shard, shard)

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        async with self._writing:
            await asyncio.to_thread(self._upsert, passages, vectors)
        self._unoptimized += len(passages)

    def _upsert(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        points = [
            edge.Point(
                passage.id,
                {"": vector.tolist(), WORDS: words.document_weights(passage.text)},
                passage.payload(),
            )
            for passage, vector in zip(passages, vectors, strict=True)
        ]
        self._shard.update(edge.UpdateOperation.upsert_points(points))

    async def search(
        self,
        user: str,
        vector: Vectors,
        text: str,
        *,
        session_id: str | None,
        without_echoes: bool,
        limit: int,
    ) -> list[Candidate]:
        only = _only(user, session_id, without_echoes)
        return await asyncio.to_thread(self._search, vector, text, only, limit)

    def _search(self, vector: Vectors, text: str, only: edge.Filter, limit: int) -> list[Candidate]:
        queries = [
            edge.QueryRequest(
                query=query, filter=only, limit=limit, with_payload=["turn_id"], with_vector=False
            )
            for query in (
                edge.Query.Nearest(vector.tolist()),
                edge.Query.Nearest(words.query_weights(text), using=WORDS),
            )
        ]
        dense, sparse = self._shard.query_batch(edge.QueryBatchRequest(queries))
        return joined(_scores(dense), _scores(sparse))

    async def count(self) -> int:
        return await asyncio.to_thread(lambda: self._shard.count(edge.CountRequest(exact=True)))

    async def check(self) -> None:
        await self.count()

    async def _keep_optimized(self) -> None:
        """Merges and indexes segments once enough points have come, away from the writes that bring them."""
        while True:
            await asyncio.sleep(5.0)
            if self._unoptimized < _OPTIMIZE_AFTER_POINTS:
                continue
            self._unoptimized = 0
            await asyncio.to_thread(self._shard.optimize)


def _only(user: str, session_id: str | None, without_echoes: bool) -> edge.Filter:
    must: list[edge.ConditionType] = [edge.FieldCondition(key="user", match=edge.MatchValue(user))]
    if session_id is not None:
        must.append(edge.FieldCondition(key="session_id", match=edge.MatchValue(session_id)))
    echo = edge.FieldCondition(key="is_echo", match=edge.MatchValue(ECHO))
    return edge.Filter(must=must, must_not=[echo] if without_echoes else None)


def joined(dense: dict[str, float], sparse: dict[str, float]) -> list[Candidate]:
    return [
        Candidate(turn_id, dense.get(turn_id), sparse.get(turn_id))
        for turn_id in dense.keys() | sparse.keys()
    ]


def _scores(points: Sequence[edge.ScoredPoint]) -> dict[str, float]:
    return {str((point.payload or {})["turn_id"]): point.score for point in points}


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Two engines over one folder would destroy it; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError(
                f"{folder} is open in another indexer. Stop that one, or run a Qdrant server and set "
                "QDRANT_URL for both."
            ) from error
        yield


def _open_shard(folder: Path, dimension: int) -> edge.EdgeShard:
    config = edge.EdgeConfig(
        vectors=edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine),
        sparse_vectors={WORDS: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
    )
    if any(folder.iterdir()):
        try:
            return edge.EdgeShard.load(str(folder), config)
        except Exception as error:  # The engine raises nothing more precise.
            raise SettingsError(
                f"{folder} does not fit EMBEDDING_MODEL's {dimension} dimensions, or is damaged ({error}). "
                "Put the former model back, or move the folder away to start an empty index."
            ) from error
    shard = edge.EdgeShard.create(str(folder), config)
    for field, schema in _INDEXES.items():
        shard.update(edge.UpdateOperation.create_field_index(field, schema))  # type: ignore[arg-type]
    return shard


def _close_shard(shard: edge.EdgeShard) -> None:
    shard.flush()
    shard.close()
