"""Points in a Qdrant server, where QDRANT_URL names one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from qdrant_client import AsyncQdrantClient
from qdrant_client import models as q
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException
from qdrant_edge import SparseVector

from services.indexer.adapters import words
from services.indexer.adapters.qdrant_edge import WORDS, joined
from services.indexer.domain.fusion import Candidate
from services.indexer.domain.passages import ECHO, Passage
from services.indexer.ports import Vectors
from shared.errors import Transient

COLLECTION = "turns"
_INDEXES: dict[str, q.PayloadSchemaType | q.KeywordIndexParams] = {
    "user": q.KeywordIndexParams(type=q.KeywordIndexType.KEYWORD, is_tenant=True),
    "session_id": q.PayloadSchemaType.KEYWORD,
    "intent": q.PayloadSchemaType.KEYWORD,
    "topic": q.PayloadSchemaType.TEXT,
    "turn_number": q.PayloadSchemaType.INTEGER,
    "timestamp": q.PayloadSchemaType.DATETIME,
    "quality": q.PayloadSchemaType.FLOAT,
    "is_echo": q.PayloadSchemaType.KEYWORD,
}


class ServerTurnIndex:
    """TurnIndex over qdrant-client."""

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, *, api_key: str | None, dimension: int, timeout: float
    ) -> AsyncIterator["ServerTurnIndex"]:
        client = AsyncQdrantClient(url, api_key=api_key, timeout=max(1, round(timeout)))
        index = cls(client)
        try:
            await index.create(dimension)
            yield index
        finally:
            await client.close()

    async def create(self, dimension: int) -> None:
        """Makes the collection and its payload indexes where they are missing."""
        try:
            if await self._client.collection_exists(COLLECTION):
                return
            await self._client.create_collection(
                COLLECTION,
                vectors_config=q.VectorParams(size=dimension, distance=q.Distance.COSINE),
                sparse_vectors_config={WORDS: q.SparseVectorParams(modifier=q.Modifier.IDF)},
            )
            for field, schema in _INDEXES.items():
                await self._client.create_payload_index(COLLECTION, field, field_schema=schema)
        except _UNREACHABLE as error:
            raise Transient(f"Qdrant is not reachable: {error}") from error

    async def upsert(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        points = [
            q.PointStruct(
                id=str(passage.id),
                vector={"": vector.tolist(), WORDS: _sparse(words.document_weights(passage.text))},
                payload=passage.payload(),
            )
            for passage, vector in zip(passages, vectors, strict=True)
        ]
        try:
            await self._client.upsert(COLLECTION, points, wait=True)
        except _UNREACHABLE as error:
            raise Transient(f"Qdrant is not reachable: {error}", retry_in=2.0) from error

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
        wanted = {"user": user} if session_id is None else {"user": user, "session_id": session_id}
        only = q.Filter(
            must=[_equals(key, value) for key, value in wanted.items()],
            must_not=[_equals("is_echo", ECHO)] if without_echoes else None,
        )
        requests = [
            q.QueryRequest(query=query, using=using, filter=only, limit=limit, with_payload=["turn_id"])
            for query, using in ((vector.tolist(), None), (_sparse(words.query_weights(text)), WORDS))
        ]
        try:
            dense, sparse = await self._client.query_batch_points(COLLECTION, requests)
        except _UNREACHABLE as error:
            raise Transient(f"Qdrant is not reachable: {error}") from error
        return joined(_scores(dense), _scores(sparse))

    async def count(self) -> int:
        try:
            return (await self._client.count(COLLECTION, exact=True)).count
        except _UNREACHABLE as error:
            raise Transient(f"Qdrant is not reachable: {error}") from error

    async def check(self) -> None:
        await self.count()


_UNREACHABLE = (ApiException, ResponseHandlingException, OSError)


def _equals(key: str, value: str) -> q.FieldCondition:
    return q.FieldCondition(key=key, match=q.MatchValue(value=value))


def _sparse(weights: SparseVector) -> q.SparseVector:
    return q.SparseVector(indices=list(weights.indices), values=list(weights.values))


def _scores(response: q.QueryResponse) -> dict[str, float]:
    return {str((point.payload or {})["turn_id"]): point.score for point in response.points}
