"""The shipped understanding and ranking, over an index in memory.

So what Qdrant finds is told apart from what ranking makes of it, and a change of either is seen alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from math import log

import msgspec
import numpy
from numpy.typing import NDArray

from bench.retrieval.conversations.script import ASSISTANT
from bench.retrieval.sets import Document, Query
from services.indexer.embedding.embedder import Embedder
from services.indexer.passages.index import Candidate
from services.indexer.passages.message import Role, role_of
from services.indexer.passages.passage import Vectors, near_vectors
from services.indexer.qdrant import bm25
from services.indexer.search.questions import Asked, understand
from services.indexer.search.ranking import WEIGHTS, Weights, rank
from shared.language.questions import only_asks
from shared.language.times import tells_time

DEPTH = 100
"""Asked of each of the four lists; of what any of them finds all four scores are told."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
Scores = NDArray[numpy.float64]


class InvertedList:
    """BM25 of texts, with Qdrant's inverse document frequency over these."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = len(texts)
        rows: dict[int, list[int]] = defaultdict(list)
        weights: dict[int, list[float]] = defaultdict(list)
        for row, text in enumerate(texts):
            own = bm25.document_weights(text)
            for term, weight in zip(own.indices, own.values, strict=True):
                rows[term].append(row)
                weights[term].append(weight)
        self._rows = {term: numpy.array(found) for term, found in rows.items()}
        self._weights = {term: numpy.array(found) for term, found in weights.items()}

    def scores(self, text: str) -> Scores:
        """Of every text, in their order."""
        scores = numpy.zeros(self._texts)
        asked = bm25.query_weights(text)
        for term, weight in zip(asked.indices, asked.values, strict=True):
            if (rows := self._rows.get(term)) is not None:
                rarity = log(1 + (self._texts - len(rows) + 0.5) / (len(rows) + 0.5))
                scores[rows] += weight * rarity * self._weights[term]
        return scores


class Said(msgspec.Struct, frozen=True):
    """All messages of one user, in the order of the corpus."""

    messages: list[Candidate]
    """Without scores."""
    vectors: Vectors
    near: Vectors
    words: InvertedList
    words_near: InvertedList


class ExactIndex:
    """The best of each of the four lists, for one user."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._said: dict[str, Said] = {}

    async def index(self, corpus: Sequence[Document]) -> None:
        """Messages of a session stand one after the other, in order."""
        of_users: dict[str, list[Document]] = defaultdict(list)
        for document in corpus:
            of_users[document.metadata.user].append(document)
        for user, documents in of_users.items():
            sessions = _sessions(documents)
            vectors = [await self._embedder.embed([_plain_text(one) for one in own]) for own in sessions]
            self._said[user] = Said(
                [_candidate(document, i) for i, document in enumerate(documents)],
                numpy.concatenate(vectors),
                numpy.concatenate([near_vectors(own) for own in vectors]),
                InvertedList([one.searched_text for one in documents]),
                InvertedList([text for own in sessions for text in _near_texts(own)]),
            )

    def speakers(self, user: str) -> set[str]:
        return {message.speaker for message in self._messages(user)}

    def latest(self, user: str) -> datetime:
        """When the user's last message was said; the bench asks right after it."""
        return max((message.at for message in self._messages(user)), default=_LONG_AGO)

    def candidates(self, user: str, vector: Vectors, text: str, depth: int) -> list[Candidate]:
        if user not in self._said:
            return []
        said = self._said[user]
        meaning, near = said.vectors @ vector, said.near @ vector
        words_, words_near = said.words.scores(text), said.words_near.scores(text)
        found = _best(meaning, depth) | _best(near, depth)
        found |= {row for scores in (words_, words_near) for row in _best(scores, depth) if scores[row] > 0}
        return [
            msgspec.structs.replace(
                said.messages[row],
                meaning=float(meaning[row]),
                meaning_near=float(near[row]),
                words=float(words_[row]),
                words_near=float(words_near[row]),
            )
            for row in sorted(found)
        ]

    def _messages(self, user: str) -> list[Candidate]:
        return self._said[user].messages if user in self._said else []


class Exact:
    """Way: what the shipped ranking makes of all there is."""

    def __init__(
        self, embedder: Embedder, weights: Weights = WEIGHTS, *, name: str = "exact", depth: int = DEPTH
    ) -> None:
        self.name = name
        self.exact_index = ExactIndex(embedder)
        self._embedder = embedder
        self._weights = weights
        self._depth = depth

    async def index(self, corpus: Sequence[Document]) -> None:
        await self.exact_index.index(corpus)

    async def search(self, query: Query, limit: int) -> list[str]:
        asked, candidates = await self.asked(query)
        now = self.exact_index.latest(query.metadata.user)
        return [one.key for one in rank(asked, candidates, now=now, weights=self._weights)][:limit]

    async def asked(self, query: Query) -> tuple[Asked, list[Candidate]]:
        """What is understood of it, and what the four searches find."""
        user = query.metadata.user
        asked = understand(query.text, self.exact_index.speakers(user), self.exact_index.latest(user))
        vector = await self._embedder.embed_query(asked.text_for_meaning)
        return asked, self.exact_index.candidates(user, vector, asked.text_for_words, self._depth)


def _best(scores: Scores | Vectors, depth: int) -> set[int]:
    best: list[int] = numpy.argsort(-scores, kind="stable")[:depth].tolist()
    return set(best)


def _sessions(corpus: Sequence[Document]) -> list[list[Document]]:
    """What belongs together; a document of no session stands alone."""
    keys = [
        (document.metadata.user, document.metadata.session_id or document.id, document) for document in corpus
    ]
    return [[document for *_, document in group] for _, group in groupby(keys, key=lambda key: key[:2])]


def _near_texts(session: Sequence[Document]) -> list[str]:
    texts = [document.searched_text for document in session]
    return ["\n".join(texts[max(0, i - 1) : i + 2]) for i in range(len(texts))]


def _plain_text(document: Document) -> str:
    """Without its speaker, who is no part of what is meant."""
    return document.searched_text if document.title else document.text


def _candidate(document: Document, ordinal: int) -> Candidate:
    said = document.metadata
    role: Role = "assistant" if said.speaker == ASSISTANT else role_of(said.speaker, said.user)
    return Candidate(
        key=document.id,
        kind="turn",
        session_id=said.session_id,
        ordinal=ordinal,
        speaker=said.speaker,
        role=role,
        at=datetime.fromisoformat(said.at) if said.at else _LONG_AGO,
        asks=only_asks(document.text),
        length=len(document.text.split()),
        uses=0,
        meaning=None,
        meaning_near=None,
        words=None,
        words_near=None,
        tells_time=tells_time(document.text),
    )
