"""Points in a Qdrant server, where QDRANT_URL names one."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from uuid import UUID

from qdrant_client import AsyncQdrantClient
from qdrant_client import models as q
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException

from services.indexer.passages.index import Candidate, IndexQuery, Selection
from services.indexer.passages.passage import Passage, Vectors
from services.indexer.qdrant.candidates import (
    NEAR,
    TEXT,
    WORDS,
    WORDS_NEAR,
    by_count,
    candidates_of,
    dense_of,
    unscored,
    without_score,
)
from services.indexer.qdrant.server_queries import (
    INDEXES,
    best_of,
    four_lists,
    of_messages,
    point_of,
    scores_of,
    selected,
)
from shared.contract.errors import Transient
from shared.contract.requests import Kind


class ServerPassageIndex:
    """PassageIndex over one collection of a Qdrant server, through qdrant-client."""

    def __init__(self, client: AsyncQdrantClient, collection: str, kind: Kind) -> None:
        self._client = client
        self._collection = collection
        self._kind = kind

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, *, api_key: str | None, timeout: float, collection: str, dimension: int, kind: Kind
    ) -> AsyncIterator["ServerPassageIndex"]:
        client = AsyncQdrantClient(url, api_key=api_key, timeout=max(1, round(timeout)))
        index = cls(client, collection, kind)
        try:
            await index.create(dimension)
            yield index
        finally:
            await client.close()

    async def create(self, dimension: int) -> None:
        """Creates the collection and its payload indexes where they are missing."""
        with translated_errors():
            if await self._client.collection_exists(self._collection):
                return
            await self._client.create_collection(
                self._collection,
                vectors_config={
                    name: q.VectorParams(size=dimension, distance=q.Distance.COSINE) for name in (TEXT, NEAR)
                },
                sparse_vectors_config={
                    name: q.SparseVectorParams(modifier=q.Modifier.IDF) for name in (WORDS, WORDS_NEAR)
                },
            )
            for field, schema in INDEXES.items():
                await self._client.create_payload_index(self._collection, field, field_schema=schema)

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        points = [point_of(*whole) for whole in zip(passages, vectors, near, strict=True)]
        with translated_errors():
            await self._client.upsert(self._collection, points, wait=True)

    async def search(self, query: IndexQuery) -> list[Candidate]:
        four = four_lists(query)
        best = await self._query(best_of(four, query))
        found = {str(point.id): unscored(self._kind, point.payload or {}) for point in chain(*best)}
        lists = [_scores(points) for points in best]
        missing = without_score(found, lists)
        if any(missing):
            rest = await self._query(scores_of(four, missing))
            for scored, points in zip(lists, rest, strict=True):
                scored |= _scores(points)
        return candidates_of(found, lists)

    async def _query(self, requests: list[q.QueryRequest]) -> list[list[q.ScoredPoint]]:
        with translated_errors():
            answers = await self._client.query_batch_points(self._collection, requests)
        return [answer.points for answer in answers]

    async def remove(self, selection: Selection) -> None:
        await self._delete(selected(selection))

    async def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        with translated_errors():
            found = await self._client.retrieve(
                self._collection, [str(one) for one in ids], with_payload=False, with_vectors=[TEXT]
            )
        return {UUID(str(point.id)): dense_of(point.vector) for point in found}

    async def present(self, ids: Sequence[UUID]) -> set[UUID]:
        with translated_errors():
            found = await self._client.retrieve(
                self._collection, [str(one) for one in ids], with_payload=False, with_vectors=False
            )
        return {UUID(str(point.id)) for point in found}

    async def drop(self, ids: Sequence[UUID]) -> None:
        await self._delete(of_messages(ids))

    async def _delete(self, chosen: q.Filter) -> None:
        with translated_errors():
            await self._client.delete(self._collection, q.FilterSelector(filter=chosen), wait=True)

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        with translated_errors():
            for count, messages in by_count(uses).items():
                # By condition: all their parts, and none where one has no point yet.
                await self._client.set_payload(self._collection, {"uses": count}, of_messages(messages))

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        with translated_errors():
            points, following = await self._client.scroll(
                self._collection,
                offset=None if after is None else str(after),
                limit=limit,
                with_payload=["message"],
            )
        found = [UUID(str((point.payload or {})["message"])) for point in points]
        return found, None if following is None else UUID(str(following))

    async def count(self, *, exact: bool = True) -> int:
        with translated_errors():
            return (await self._client.count(self._collection, exact=exact)).count

    async def compact(self, *, needed: bool = True) -> bool:
        """A server has no call for that: it merges its segments by itself, at any time."""
        return False


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except (ApiException, ResponseHandlingException, OSError) as error:
        raise Transient(f"Qdrant is not reachable: {error}", retry_in=2.0) from error


def _scores(points: Sequence[q.ScoredPoint]) -> dict[str, float]:
    return {str(point.id): point.score for point in points}
