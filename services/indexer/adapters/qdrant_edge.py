"""Points in Qdrant's own engine, inside this process, in a folder: the embedded default."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast
from uuid import UUID

import qdrant_edge as edge

from services.indexer.adapters import words
from services.indexer.adapters.candidates import (
    NEAR,
    TEXT,
    WORDS,
    WORDS_NEAR,
    candidates_of,
    dense_of,
    without_score,
)
from services.indexer.adapters.edge_shard import Shard
from services.indexer.domain.passages import ECHO, Passage
from services.indexer.domain.ranking import Candidate
from services.indexer.ports import IndexQuery, Selection, Vectors
from shared.errors import Transient
from shared.replies import Kind

log = logging.getLogger(__name__)
_OPTIMIZE_AFTER_POINTS = 5_000
_OPTIMIZE_AFTER_SHARE = 0.2
"""Of all points. Until then questions look at all of the new ones."""
_POINTS_AT_ONCE = 128
_GRAPH_FROM_KILOBYTES = 30_000
"""About 20,000 vectors of 384 numbers. To look at all of 12,000 takes 1.1 ms, by graph 0.7 ms, and to build
it took 12 s of one core: a graph pays for users who have said a great deal."""
# Every question is one user's: graphs within each user (payload_m), none over all of them (m). Measured with
# 12,000 points of 100 users: 0.5 s to optimize; of one user as long as a graph over all.
_GRAPH = edge.HnswIndexConfig(m=0, payload_m=16, ef_construct=100, full_scan_threshold=_GRAPH_FROM_KILOBYTES)
# No graph within the values of other fields: the engine would build one over all that is no echo (measured:
# 7 s instead of more than 180 to optimize 24,000 points of 12 users).
_INDEXES: dict[str, object] = {
    "user": edge.KeywordIndexParams(is_tenant=True),
    "message": edge.UuidIndexParams(enable_hnsw=False),
    "session_id": edge.KeywordIndexParams(enable_hnsw=False),
    "speaker": edge.KeywordIndexParams(enable_hnsw=False),
    "intent": edge.KeywordIndexParams(enable_hnsw=False),
    "topic": edge.TextIndexParams(enable_hnsw=False),
    "turn_number": edge.IntegerIndexParams(lookup=True, range=True, enable_hnsw=False),
    "timestamp": edge.DatetimeIndexParams(enable_hnsw=False),
    "quality": edge.FloatIndexParams(enable_hnsw=False),
    "is_echo": edge.KeywordIndexParams(enable_hnsw=False),
}


class EdgePassageIndex:
    """PassageIndex over one Qdrant Edge shard. The engine blocks, so each call runs in a thread."""

    def __init__(self, shard: Shard, kind: Kind) -> None:
        self._shard = shard
        self._kind = kind
        self._unoptimized = 0
        self._is_empty = True

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, dimension: int, kind: Kind) -> AsyncIterator["EdgePassageIndex"]:
        """Raises SettingsError where another process has the folder open, or it holds other vectors."""
        async with Shard.open(folder, _config(dimension), _INDEXES) as shard:
            index = cls(shard, kind)
            index._is_empty = await index.count() == 0
            upkeep = asyncio.create_task(index._keep_optimized())
            try:
                yield index
            finally:
                upkeep.cancel()
                with suppress(asyncio.CancelledError):
                    await upkeep

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        self._is_empty = False
        # In parts, and made in a thread: neither searches nor the event loop wait long for many points.
        for begin in range(0, len(passages), _POINTS_AT_ONCE):
            part = slice(begin, begin + _POINTS_AT_ONCE)
            operation = await asyncio.to_thread(_upserted, passages[part], vectors[part], near[part])
            await self._update(operation)
        self._unoptimized += len(passages)

    async def search(self, query: IndexQuery) -> list[Candidate]:
        if self._is_empty:  # As some collections mostly are, and all are asked.
            return []
        return await self._shard.call(lambda shard: self._search(shard, query))

    def _search(self, shard: edge.EdgeShard, query: IndexQuery) -> list[Candidate]:
        asked = query.vector.tolist(), words.query_weights(query.words), query.user
        best = shard.query_batch(_four(*asked, [_only(query)] * 4, [query.limit] * 4))
        # By their numbers: an id is made anew each time it is read, and its hash in Python.
        ids: dict[int, UUID] = {}
        lists = [_scores(points, ids) for points in best]
        # Once a point, and not with each list: to read payloads takes longer than to search.
        found = shard.retrieve(list(ids.values()), with_payload=True, with_vector=False)
        payloads = {_id_of(point).int: point.payload or {} for point in found}
        missing = [
            cast("set[int | UUID | str]", {ids[number] for number in without})
            for without in without_score(ids, lists)
        ]
        if any(missing):
            these = [edge.Filter(must=[edge.HasIdCondition(points)]) for points in missing]
            rest = shard.query_batch(_four(*asked, these, [max(1, len(points)) for points in missing]))
            for scored, points in zip(lists, rest, strict=True):
                scored |= _scores(points, ids)
        # Not those that were removed meanwhile.
        return candidates_of(
            self._kind, payloads, [{n: s for n, s in one.items() if n in payloads} for one in lists]
        )

    async def remove(self, selection: Selection) -> None:
        chosen: list[edge.ConditionType] = [_equals("user", selection.user)]
        if selection.session_id is not None:
            chosen.append(_equals("session_id", selection.session_id))
        if selection.messages is not None:
            chosen.append(_of_messages([str(message) for message in selection.messages]))
        await self._update(edge.UpdateOperation.delete_points_by_filter(edge.Filter(must=chosen)))

    async def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        found = await self._shard.call(
            lambda shard: shard.retrieve(list(ids), with_payload=False, with_vector=[TEXT])
        )
        return {UUID(str(point.id)): dense_of(point.vector) for point in found}

    async def present(self, ids: Sequence[UUID]) -> set[UUID]:
        found = await self._shard.call(
            lambda shard: shard.retrieve(list(ids), with_payload=False, with_vector=False)
        )
        return {UUID(str(point.id)) for point in found}

    async def drop(self, ids: Sequence[UUID]) -> None:
        of = edge.FieldCondition(key="message", match=edge.MatchAny([str(message) for message in ids]))
        await self._update(edge.UpdateOperation.delete_points_by_filter(edge.Filter(must=[of])))

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        for message, count in uses.items():
            # By condition: all its parts, and none where it has no point yet.
            its = edge.Filter(must=[_equals("message", str(message))])
            await self._update(edge.UpdateOperation.set_payload_by_filter(its, {"uses": count}))

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        page = edge.ScrollRequest(offset=after, limit=limit, with_payload=["message"], with_vector=False)
        points, following = await self._shard.call(lambda shard: shard.scroll(page))
        found = [UUID(str((point.payload or {})["message"])) for point in points]
        return found, None if following is None else UUID(str(following))

    async def _update(self, operation: edge.UpdateOperation) -> None:
        await self._shard.write(operation)

    async def count(self) -> int:
        return await self._shard.call(lambda shard: shard.count(edge.CountRequest(exact=True)))

    async def check(self) -> None:
        await self.count()

    async def compact(self) -> bool:
        if not await self._shard.rewrite(without_removed=True):
            raise Transient("Qdrant's engine did not compact its segments; see the log", retry_in=5.0)
        return True

    async def _keep_optimized(self) -> None:
        """Merges and indexes segments once enough points have come, away from the writes that bring them."""
        while True:
            await asyncio.sleep(5.0)
            new = self._unoptimized
            if new < _OPTIMIZE_AFTER_POINTS or new < _OPTIMIZE_AFTER_SHARE * await self.count():
                continue
            try:
                if await self._shard.rewrite():
                    self._unoptimized -= new
            except OSError as error:  # No room on the disk for a copy, say.
                log.warning("%s is not optimized: %s", self._kind, error)


def _id_of(point: edge.ScoredPoint | edge.Record) -> UUID:
    """The engine knows numbers as well; all ids here are UUIDs."""
    return cast(UUID, point.id)


def _scores(points: Sequence[edge.ScoredPoint], ids: dict[int, UUID]) -> dict[int, float]:
    """By the number of its id, which is noted in `ids`."""
    scores = {}
    for point in points:
        id_ = _id_of(point)
        ids[id_.int] = id_
        scores[id_.int] = point.score
    return scores


def _upserted(passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> edge.UpdateOperation:
    points = [_point(*whole) for whole in zip(passages, vectors, near, strict=True)]
    return edge.UpdateOperation.upsert_points(points)


def _point(passage: Passage, vector: Vectors, near: Vectors) -> edge.Point:
    return edge.Point(
        passage.id,
        {
            TEXT: vector.tolist(),
            NEAR: near.tolist(),
            WORDS: words.document_weights(passage.words),
            WORDS_NEAR: words.document_weights(passage.words_near),
        },
        passage.payload(),
    )


def _four(
    vector: list[float],
    asked: edge.SparseVector,
    user: str,
    only: Sequence[edge.Filter],
    limits: Sequence[int],
) -> edge.QueryBatchRequest:
    """By meaning and by words, of a passage alone and with those beside it."""
    # How rare a word is, is asked of the user's own messages: others' say nothing about them.
    own = edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter(must=[_equals("user", user)])))
    lists: tuple[tuple[str, list[float] | edge.SparseVector, edge.SearchParams | None], ...] = (
        (TEXT, vector, None),
        (NEAR, vector, None),
        (WORDS, asked, own),
        (WORDS_NEAR, asked, own),
    )
    return edge.QueryBatchRequest(
        [
            edge.QueryRequest(
                query=edge.Query.Nearest(value, using=name),
                filter=its,
                limit=limit,
                with_payload=False,
                with_vector=False,
                params=params,
            )
            for (name, value, params), its, limit in zip(lists, only, limits, strict=True)
        ]
    )


def _of_messages(messages: list[str]) -> edge.FieldCondition:
    return edge.FieldCondition(key="message", match=edge.MatchAny(messages))


def _only(query: IndexQuery) -> edge.Filter:
    must: list[edge.ConditionType] = [_equals("user", query.user)]
    if query.session_id is not None:
        must.append(_equals("session_id", query.session_id))
    if query.speaker is not None:
        must.append(_equals("speaker", query.speaker.casefold()))
    if query.since is not None or query.until is not None:
        span = edge.RangeDateTime(
            gte=None if query.since is None else query.since.isoformat(),
            lte=None if query.until is None else query.until.isoformat(),
        )
        must.append(edge.FieldCondition(key="timestamp", range=span))
    return edge.Filter(must=must, must_not=[_equals("is_echo", ECHO)] if query.without_echoes else None)


def _equals(key: str, value: str) -> edge.FieldCondition:
    return edge.FieldCondition(key=key, match=edge.MatchValue(value))


def _config(dimension: int) -> edge.EdgeConfig:
    return edge.EdgeConfig(
        vectors={
            name: edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine)
            for name in (TEXT, NEAR)
        },
        sparse_vectors={
            name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf) for name in (WORDS, WORDS_NEAR)
        },
        hnsw_config=_GRAPH,
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_GRAPH_FROM_KILOBYTES),
    )
