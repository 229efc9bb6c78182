"""Points, filters and questions in the form of Qdrant's own engine."""

from collections.abc import Collection, Sequence
from uuid import UUID

import qdrant_edge as edge

from services.indexer.passages.index import IndexQuery, Selection
from services.indexer.passages.passage import ECHO, Passage, Vectors
from services.indexer.qdrant import bm25
from services.indexer.qdrant.candidates import NEAR, TEXT, WORDS, WORDS_NEAR
from services.indexer.qdrant.edge_folder import Indexes

_GRAPH_FROM_KILOBYTES = 30_000
"""About 20,000 vectors of 384 numbers. A search of 12,000 takes 1.1 ms without a graph and 0.7 ms with one,
which takes 12 s of one core to build: a graph pays for users with very many messages."""
# Every question is one user's: graphs within each user (payload_m), none over all of them (m). Measured with
# 12,000 points: 0.5 s to optimize for 100 users; for one user as long as a graph over all.
_GRAPH = edge.HnswIndexConfig(m=0, payload_m=16, ef_construct=100, full_scan_threshold=_GRAPH_FROM_KILOBYTES)
# No graph within the values of other fields: the engine would build one over all that is no echo (measured:
# 7 s instead of more than 180 to optimize 24,000 points of 12 users).
INDEXES: Indexes = {
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

List = tuple[str, list[float] | edge.SparseVector, edge.SearchParams | None]
"""One list of a search: the vectors that it compares, with what, and how."""


def upserted(passages: Sequence[Passage], vectors: Vectors, near: Vectors) -> edge.UpdateOperation:
    points = [_point(*whole) for whole in zip(passages, vectors, near, strict=True)]
    return edge.UpdateOperation.upsert_points(points)


def _point(passage: Passage, vector: Vectors, near: Vectors) -> edge.Point:
    return edge.Point(
        passage.id,
        {
            TEXT: vector.tolist(),
            NEAR: near.tolist(),
            WORDS: bm25.document_weights(passage.words),
            WORDS_NEAR: bm25.document_weights(passage.words_near),
        },
        passage.payload(),
    )


def four_lists(query: IndexQuery) -> list[List]:
    """By meaning and by words, of a passage alone and with its neighbours."""
    # How rare a word is, is asked of the user's own messages: others' say nothing about them.
    own = edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter(must=[_equals("user", query.user)])))
    vector, words = query.vector.tolist(), bm25.query_weights(query.words)
    return [(TEXT, vector, None), (NEAR, vector, None), (WORDS, words, own), (WORDS_NEAR, words, own)]


def best_of(lists: Sequence[List], query: IndexQuery) -> edge.QueryBatchRequest:
    """The best points of each list."""
    only = _only(query)
    return edge.QueryBatchRequest([_request(one, only, query.limit) for one in lists])


def scores_of(lists: Sequence[List], points: Sequence[Collection[UUID]]) -> edge.QueryBatchRequest:
    """The scores of these points in each list."""
    return edge.QueryBatchRequest(
        [
            _request(one, edge.Filter(must=[edge.HasIdCondition(set(ids))]), max(1, len(ids)))
            for one, ids in zip(lists, points, strict=True)
        ]
    )


def _request(one: List, only: edge.Filter, limit: int) -> edge.QueryRequest:
    name, value, params = one
    return edge.QueryRequest(
        query=edge.Query.Nearest(value, using=name),
        filter=only,
        limit=limit,
        with_payload=False,
        with_vector=False,
        params=params,
    )


def selected(selection: Selection) -> edge.Filter:
    chosen: list[edge.ConditionType] = [_equals("user", selection.user)]
    if selection.session_id is not None:
        chosen.append(_equals("session_id", selection.session_id))
    if selection.messages is not None:
        chosen.append(_of_messages([str(message) for message in selection.messages]))
    return edge.Filter(must=chosen)


def of_messages(messages: Sequence[object]) -> edge.Filter:
    return edge.Filter(must=[_of_messages([str(message) for message in messages])])


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


def config(dimension: int) -> edge.EdgeConfig:
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
