"""Points, filters and questions in the form of a Qdrant server."""

from collections.abc import Collection, Sequence

from qdrant_client import models as q
from qdrant_edge import SparseVector

from services.indexer.passages.index import IndexQuery, Selection
from services.indexer.passages.passage import ECHO, Passage, Vectors
from services.indexer.qdrant import bm25
from services.indexer.qdrant.candidates import NEAR, TEXT, WORDS, WORDS_NEAR

INDEXES: dict[str, q.PayloadSchemaType | q.KeywordIndexParams] = {
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

List = tuple[str, list[float] | q.SparseVector, q.SearchParams | None]
"""One list of a search: the vectors that it compares, with what, and how."""


def point_of(passage: Passage, vector: Vectors, near: Vectors) -> q.PointStruct:
    return q.PointStruct(
        id=str(passage.id),
        vector={
            TEXT: vector.tolist(),
            NEAR: near.tolist(),
            WORDS: _sparse(bm25.document_weights(passage.words)),
            WORDS_NEAR: _sparse(bm25.document_weights(passage.words_near)),
        },
        payload=passage.payload(),
    )


def four_lists(query: IndexQuery) -> list[List]:
    """By meaning and by words, of a passage alone and with its neighbours."""
    # How rare a word is, is asked of the user's own messages: others' say nothing about them.
    own = q.SearchParams(idf=q.IdfCorpusParams(corpus=q.Filter(must=[_equals("user", query.user)])))
    vector, words = query.vector.tolist(), _sparse(bm25.query_weights(query.words))
    return [(TEXT, vector, None), (NEAR, vector, None), (WORDS, words, own), (WORDS_NEAR, words, own)]


def best_of(lists: Sequence[List], query: IndexQuery) -> list[q.QueryRequest]:
    """The best points of each list, with their payloads."""
    only = _only(query)
    return [_request(one, only, query.limit, with_payload=True) for one in lists]


def scores_of(lists: Sequence[List], points: Sequence[Collection[str]]) -> list[q.QueryRequest]:
    """The scores of these points in each list."""
    return [
        _request(
            one, q.Filter(must=[q.HasIdCondition(has_id=list(ids))]), max(1, len(ids)), with_payload=False
        )
        for one, ids in zip(lists, points, strict=True)
    ]


def _request(one: List, only: q.Filter, limit: int, *, with_payload: bool) -> q.QueryRequest:
    name, value, params = one
    return q.QueryRequest(
        query=value, using=name, filter=only, limit=limit, with_payload=with_payload, params=params
    )


def selected(selection: Selection) -> q.Filter:
    chosen: list[q.Condition] = [_equals("user", selection.user)]
    if selection.session_id is not None:
        chosen.append(_equals("session_id", selection.session_id))
    if selection.messages is not None:
        chosen.append(_of_messages([str(message) for message in selection.messages]))
    return q.Filter(must=chosen)


def of_messages(messages: Sequence[object]) -> q.Filter:
    return q.Filter(must=[_of_messages([str(message) for message in messages])])


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
