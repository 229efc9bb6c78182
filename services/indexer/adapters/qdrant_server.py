"""Points in a Qdrant server, where QDRANT_URL names one."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from uuid import UUID

from qdrant_client import AsyncQdrantClient
from qdrant_client import models as q
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException
from qdrant_edge import SparseVector

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
from services.indexer.domain.passages import ECHO, Passage
from services.indexer.domain.ranking import Candidate
from services.indexer.ports import IndexQuery, Selection, Vectors
from shared.errors import Transient
from shared.replies import Kind

_INDEXES: dict[str, q.PayloadSchemaType | q.KeywordIndexParams] = {
    "user": q.KeywordIndexParams(type=q.KeywordIndexType.KEYWORD, is_tenant=True),
    "message": q.PayloadSchemaType.UUID,
    "session_id": q.PayloadSchemaType.KEYWORD,
    "speaker": q.PayloadSchemaType.KEYWORD,
    "intent": q.PayloadSchemaType.KEYWORD,
    "topic": q.PayloadSchemaType.TEXT,
    "turn_number": q.PayloadSchemaType.INTEGER,
    "timestamp": q.PayloadSchemaType.DATETIME,
    "quality": q.PayloadSchemaType.FLOAT,
    "is_echo": q.PayloadSchemaType.KEYWORD,
}


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
        """Makes the collection and its payload indexes where they are missing."""
        with _errors_named():
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
            for field, schema in _INDEXES.items():
                await self._client.create_payload_index(self._collection, field, field_schema=schema)

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> None:
        points = [_point(*whole) for whole in zip(passages, vectors, near, strict=True)]
        with _errors_named():
            await self._client.upsert(self._collection, points, wait=True)

    async def search(self, query: IndexQuery) -> list[Candidate]:
        asked = query.vector.tolist(), _sparse(words.query_weights(query.words)), query.user
        best = await self._query(_four(*asked, [_only(query)] * 4, [query.limit] * 4, with_payload=True))
        payloads = {str(point.id): point.payload or {} for point in chain(*best)}
        lists = [_scores(points) for points in best]
        missing = without_score(payloads, lists)
        if any(missing):
            these = [q.Filter(must=[q.HasIdCondition(has_id=list(points))]) for points in missing]
            limits = [max(1, len(points)) for points in missing]
            rest = await self._query(_four(*asked, these, limits, with_payload=False))
            for scored, points in zip(lists, rest, strict=True):
                scored |= _scores(points)
        return candidates_of(self._kind, payloads, lists)

    async def _query(self, requests: list[q.QueryRequest]) -> list[list[q.ScoredPoint]]:
        with _errors_named():
            answers = await self._client.query_batch_points(self._collection, requests)
        return [answer.points for answer in answers]

    async def remove(self, selection: Selection) -> None:
        chosen: list[q.Condition] = [_equals("user", selection.user)]
        if selection.session_id is not None:
            chosen.append(_equals("session_id", selection.session_id))
        if selection.messages is not None:
            chosen.append(_of_messages([str(message) for message in selection.messages]))
        with _errors_named():
            await self._client.delete(
                self._collection, q.FilterSelector(filter=q.Filter(must=chosen)), wait=True
            )

    async def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        with _errors_named():
            found = await self._client.retrieve(
                self._collection, [str(one) for one in ids], with_payload=False, with_vectors=[TEXT]
            )
        return {UUID(str(point.id)): dense_of(point.vector) for point in found}

    async def present(self, ids: Sequence[UUID]) -> set[UUID]:
        with _errors_named():
            found = await self._client.retrieve(
                self._collection, [str(one) for one in ids], with_payload=False, with_vectors=False
            )
        return {UUID(str(point.id)) for point in found}

    async def drop(self, ids: Sequence[UUID]) -> None:
        of = q.FieldCondition(key="message", match=q.MatchAny(any=[str(message) for message in ids]))
        with _errors_named():
            await self._client.delete(
                self._collection, q.FilterSelector(filter=q.Filter(must=[of])), wait=True
            )

    async def set_uses(self, uses: Mapping[UUID, int]) -> None:
        with _errors_named():
            for message, count in uses.items():
                # By condition: all its parts, and none where it has no point yet.
                its = q.Filter(must=[_equals("message", str(message))])
                await self._client.set_payload(self._collection, {"uses": count}, its)

    async def messages(self, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
        with _errors_named():
            points, following = await self._client.scroll(
                self._collection,
                offset=None if after is None else str(after),
                limit=limit,
                with_payload=["message"],
            )
        found = [UUID(str((point.payload or {})["message"])) for point in points]
        return found, None if following is None else UUID(str(following))

    async def count(self) -> int:
        with _errors_named():
            return (await self._client.count(self._collection, exact=True)).count

    async def check(self) -> None:
        await self.count()

    async def compact(self) -> bool:
        """A server merges its segments when it likes, and offers no call that makes it."""
        return False


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except (ApiException, ResponseHandlingException, OSError) as error:
        raise Transient(f"Qdrant is not reachable: {error}", retry_in=2.0) from error


def _scores(points: Sequence[q.ScoredPoint]) -> dict[str, float]:
    return {str(point.id): point.score for point in points}


def _point(passage: Passage, vector: Vectors, near: Vectors) -> q.PointStruct:
    return q.PointStruct(
        id=str(passage.id),
        vector={
            TEXT: vector.tolist(),
            NEAR: near.tolist(),
            WORDS: _sparse(words.document_weights(passage.words)),
            WORDS_NEAR: _sparse(words.document_weights(passage.words_near)),
        },
        payload=passage.payload(),
    )


def _four(
    vector: list[float],
    asked: q.SparseVector,
    user: str,
    only: Sequence[q.Filter],
    limits: Sequence[int],
    *,
    with_payload: bool,
) -> list[q.QueryRequest]:
    """By meaning and by words, of a passage alone and with those beside it."""
    # How rare a word is, is asked of the user's own messages: others' say nothing about them.
    own = q.SearchParams(idf=q.IdfCorpusParams(corpus=q.Filter(must=[_equals("user", user)])))
    lists: tuple[tuple[str, list[float] | q.SparseVector, q.SearchParams | None], ...] = (
        (TEXT, vector, None),
        (NEAR, vector, None),
        (WORDS, asked, own),
        (WORDS_NEAR, asked, own),
    )
    return [
        q.QueryRequest(
            query=value, using=name, filter=its, limit=limit, with_payload=with_payload, params=params
        )
        for (name, value, params), its, limit in zip(lists, only, limits, strict=True)
    ]


def _of_messages(messages: list[str]) -> q.FieldCondition:
    return q.FieldCondition(key="message", match=q.MatchAny(any=messages))


def _only(query: IndexQuery) -> q.Filter:
    must: list[q.Condition] = [_equals("user", query.user)]
    if query.session_id is not None:
        must.append(_equals("session_id", query.session_id))
    if query.speaker is not None:
        must.append(_equals("speaker", query.speaker.casefold()))
    if query.since is not None or query.until is not None:
        span = q.DatetimeRange(gte=query.since, lte=query.until)
        must.append(q.FieldCondition(key="timestamp", range=span))
    return q.Filter(must=must, must_not=[_equals("is_echo", ECHO)] if query.without_echoes else None)


def _equals(key: str, value: str) -> q.FieldCondition:
    return q.FieldCondition(key=key, match=q.MatchValue(value=value))


def _sparse(weights: SparseVector) -> q.SparseVector:
    return q.SparseVector(indices=list(weights.indices), values=list(weights.values))
