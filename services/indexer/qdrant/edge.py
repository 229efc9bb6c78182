"""Points in Qdrant's own engine, inside this process, in a folder: the embedded default."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import UUID

import qdrant_edge as edge

from services.indexer.passages.index import Candidate, IndexQuery, Selection
from services.indexer.passages.passage import Passage, Vectors
from services.indexer.qdrant.candidates import (
    READ,
    TEXT,
    by_count,
    candidates_of,
    dense_of,
    unscored,
    without_score,
)
from services.indexer.qdrant.edge_queries import (
    INDEXES,
    best_of,
    config,
    four_lists,
    of_messages,
    scores_of,
    selected,
    upserted,
)
from services.indexer.qdrant.edge_shard import Shard
from services.indexer.qdrant.known_points import KnownPoints
from shared.contract.errors import Transient
from shared.contract.requests import Kind
from shared.process.room import Disk

log = logging.getLogger(__name__)
_OPTIMIZE_AFTER_POINTS = 5_000
_OPTIMIZE_AFTER_SHARE = 0.2
"""Of all points. Until then a search reads all of the new ones."""
_POINTS_AT_ONCE = 128


class EdgePassageIndex:
    """PassageIndex over one Qdrant Edge shard, which no other process opens.

    The engine blocks. A search is short and runs on the event loop: the engine holds Python's global lock
    meanwhile, so the loop would wait in any case. All other calls run in threads.
    """

    def __init__(self, shard: Shard, kind: Kind) -> None:
        self._shard = shard
        self._kind = kind
        self._unoptimized = 0
        self._is_empty = True
        self._known = KnownPoints()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path, dimension: int, kind: Kind, disk: Disk | None = None
    ) -> AsyncIterator["EdgePassageIndex"]:
        """Raises SettingsError where another process has the folder open, or it holds other vectors.

        `disk`: the one that must have room for a write. None: none is kept free.
        """
        async with Shard.open(folder, config(dimension), INDEXES, disk or Disk(folder, 0)) as shard:
            index = cls(shard, kind)
            index._is_empty = await index.count() == 0
            upkeep = asyncio.create_task(index._keep_optimized())
            try:
                yield index
            finally:
                upkeep.cancel()
                await asyncio.gather(upkeep, return_exceptions=True)  # The caller's own cancel passes.

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        self._is_empty = False
        # In parts, and in a thread: neither searches nor the event loop wait long.
        for begin in range(0, len(passages), _POINTS_AT_ONCE):
            part = slice(begin, begin + _POINTS_AT_ONCE)
            operation = await asyncio.to_thread(upserted, passages[part], vectors[part], near[part])
            await self._shard.write(operation)
        self._unoptimized += len(passages)
        self._known.remove({passage.message.point_id for passage in passages})

    async def search(self, query: IndexQuery) -> list[Candidate]:
        if self._is_empty:  # Many collections are, and each search asks all.
            return []
        return await self._shard.call_here(lambda shard: self._search(shard, query))

    def _search(self, shard: edge.EdgeShard, query: IndexQuery) -> list[Candidate]:
        four = four_lists(query)
        best = shard.query_batch(best_of(four, query))
        # By their numbers: the engine makes an id anew each time it is read, and Python its hash.
        ids: dict[int, UUID] = {}
        lists = [_scores(points, ids) for points in best]
        points = self._points(shard, ids)
        missing = [{ids[number] for number in without} for without in without_score(ids, lists)]
        if any(missing):
            rest = shard.query_batch(scores_of(four, missing))
            for scored, found in zip(lists, rest, strict=True):
                scored |= _scores(found, ids)
        return candidates_of(points, lists)

    def _points(self, shard: edge.EdgeShard, ids: Mapping[int, UUID]) -> dict[int, Candidate]:
        """Those of them that were not removed meanwhile, without scores."""
        known = self._known.among(ids)
        new: list[int | UUID | str] = [id_ for number, id_ in ids.items() if number not in known]
        if new:
            # Once a point, and not with each list.
            found = shard.retrieve(new, with_payload=list(READ), with_vector=False)
            read = {_id_of(point).int: unscored(self._kind, point.payload or {}) for point in found}
            self._known.add(read)
            known |= read
        return known

    async def remove(self, selection: Selection) -> None:
        await self._shard.write(edge.UpdateOperation.delete_points_by_filter(selected(selection)))
        self._known.clear()

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
        await self._shard.write(edge.UpdateOperation.delete_points_by_filter(of_messages(ids)))
        self._known.remove(ids)

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        for count, messages in by_count(uses).items():
            # By condition: all their parts, and none where one has no point yet.
            change = edge.UpdateOperation.set_payload_by_filter(of_messages(messages), {"uses": count})
            await self._shard.write(change)
        self._known.remove(uses)

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        page = edge.ScrollRequest(offset=after, limit=limit, with_payload=["message"], with_vector=False)
        points, following = await self._shard.call(lambda shard: shard.scroll(page))
        found = [UUID(str((point.payload or {})["message"])) for point in points]
        return found, None if following is None else UUID(str(following))

    async def count(self, *, exact: bool = True) -> int:
        return await self._shard.call(lambda shard: shard.count(edge.CountRequest(exact=exact)))

    async def compact(self, *, needed: bool = True) -> bool:
        if needed and not await self._shard.rewrite(without_removed=True):
            raise Transient("Qdrant's engine did not compact its segments; see the log", retry_in=5.0)
        return True

    async def _keep_optimized(self) -> None:
        """Merges and indexes segments once enough points have come. Writes do not wait for it."""
        while True:
            await asyncio.sleep(5.0)
            new = self._unoptimized
            if new < _OPTIMIZE_AFTER_POINTS or new < _OPTIMIZE_AFTER_SHARE * await self.count(exact=False):
                continue
            try:
                if await self._shard.rewrite():
                    self._unoptimized -= new
            except OSError as error:  # No room on the disk for a copy, say.
                log.warning("%s is not optimized: %s", self._kind, error)


def _id_of(point: edge.ScoredPoint | edge.Record) -> UUID:
    """The engine allows numbers too; here all ids are UUIDs."""
    return cast(UUID, point.id)


def _scores(points: Sequence[edge.ScoredPoint], ids: dict[int, UUID]) -> dict[int, float]:
    """By the number of its id, which is noted in `ids`."""
    scores = {}
    for point in points:
        id_ = _id_of(point)
        number = id_.int
        ids[number] = id_
        scores[number] = point.score
    return scores
