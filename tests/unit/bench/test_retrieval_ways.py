"""Ways of searching, with vectors that are known instead of computed."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy
import pytest

from bench.retrieval.ablation import ablation, only
from bench.retrieval.embedding import EmbedsOnce
from bench.retrieval.exact import Exact
from bench.retrieval.scores import figures_of, measure, scores_table, types_table
from bench.retrieval.sets import Document, Metadata, Query, QuestionSet
from bench.retrieval.ways import Bm25, Dense, ReciprocalRanks, Way
from services.indexer.passages.index import IndexQuery
from services.indexer.passages.message import StoredMessage
from services.indexer.passages.passage import Passage, Vectors
from services.indexer.qdrant.edge import EdgePassageIndex
from services.indexer.search.ranking import SIGNALS, WEIGHTS

DIMENSION = 4
BEES, ROSES, TAX, _ = numpy.eye(DIMENSION, dtype=numpy.float32)
HALF = numpy.array([0.6, 0.8, 0.0, 0.0], dtype=numpy.float32)
"""Nearer to the roses than to the bees."""
MEANINGS = {
    "Mira: keeps bees in Lisbon": BEES,
    "Mira: red roses need sun": ROSES,
    "Mira: the tax form XJ-4711 is due": TAX,
    "Tomas: bees and roses, bees again": HALF,
    "Bob: has bees as well": BEES,
    "what about the flowers": ROSES,
    "XJ-4711": HALF,
    "bees": BEES,
}
MEANINGS |= {text.partition(": ")[2]: meaning for text, meaning in MEANINGS.items() if ": " in text}


class KnownMeanings:
    """Embedder of the texts above; counts those that were to be stored."""

    dimension = DIMENSION
    engine = "words"

    def __init__(self) -> None:
        self.stored = 0

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.stored += len(texts)
        return numpy.stack([MEANINGS[text] for text in texts])

    async def embed_query(self, text: str) -> Vectors:
        vector: Vectors = MEANINGS[text]
        return vector

    def familiarity(self, text: str) -> float:
        return 1.0

    def count_tokens(self, texts: Sequence[str]) -> int:
        return len(texts)

    def forget_queries(self) -> None: ...


def said(id_: str, speaker: str, text: str, user: str = "alice") -> Document:
    return Document(id_, text, metadata=Metadata(user=user, speaker=speaker))


CORPUS = [
    said("bees", "Mira", "keeps bees in Lisbon"),
    said("roses", "Mira", "red roses need sun"),
    said("tax", "Mira", "the tax form XJ-4711 is due"),
    said("both", "Tomas", "bees and roses, bees again"),
    said("bob", "Bob", "has bees as well", user="bob"),
]


def query(text: str, user: str = "alice", type_: str = "") -> Query:
    return Query(text, text, Metadata(user=user, type=type_))


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[EdgePassageIndex]:
    async with EdgePassageIndex.open(tmp_path / "turns", DIMENSION, "turn") as opened:
        yield opened


@pytest.fixture
def ways() -> list[Way]:
    embedder = KnownMeanings()
    return [Dense(embedder), Bm25(), ReciprocalRanks(Dense(embedder), Bm25()), Exact(embedder)]


def passage(number: int, document: Document) -> Passage:
    said = document.metadata
    message = StoredMessage(
        user=said.user,
        session_id=document.id,
        message_id=document.id,
        speaker=said.speaker,
        role="other",
        text=document.text,
        at=datetime(2025, 1, 1, tzinfo=UTC),
        ordinal=0,
        uses=0,
        indexed=False,
    )
    return Passage(message=message, part=0, text=document.searched_text)


async def test_no_way_finds_what_another_user_said_or_more_than_was_asked_for(ways: list[Way]) -> None:
    for way in ways:
        await way.index(CORPUS)

        assert await way.search(query("bees", user="bob"), 10) == ["bob"]
        assert "bob" not in await way.search(query("bees"), 10)
        assert len(await way.search(query("bees"), 1)) == 1
        assert await way.search(query("bees", user="nobody"), 10) == []


async def test_meaning_goes_by_the_angle_alone() -> None:
    way = Dense(KnownMeanings())
    await way.index(CORPUS)

    assert (await way.search(query("what about the flowers"), 2)) == ["roses", "both"]


async def test_words_rank_as_the_indexer_ranks_them(index: EdgePassageIndex) -> None:
    """The bench's own BM25 beside the engine's."""
    way, stored = Bm25(), [passage(number, document) for number, document in enumerate(CORPUS)]
    names = {str(one.id): one.message.message_id for one in stored}
    vectors = numpy.stack([TAX] * len(stored))
    await way.index(CORPUS)
    await index.upsert(stored, vectors, vectors)

    for text in ("bees", "roses bees", "XJ-4711"):
        found = await index.search(IndexQuery(user="alice", vector=TAX, words=text, limit=10))
        scored = {names[c.key]: c.words for c in found if c.words}

        assert await way.search(query(text), 10) == sorted(scored, key=lambda id_: (-scored[id_], id_))


async def test_ranks_are_added_over_the_ways() -> None:
    class Fixed:
        def __init__(self, *ids: str) -> None:
            self.name, self.ids = "fixed", ids

        async def index(self, corpus: Sequence[Document]) -> None: ...

        async def search(self, query: Query, limit: int) -> list[str]:
            return list(self.ids[:limit])

    # 1/61 + 1/63 for a, 1/62 + 1/61 for b, 1/63 for c, 1/62 for d
    way = ReciprocalRanks(Fixed("a", "b", "c"), Fixed("b", "d", "a"), k=60)

    assert way.name == "rrf_60"
    assert await way.search(query("bees"), 10) == ["b", "a", "d", "c"]


async def test_the_ranking_finds_by_meaning_and_by_words() -> None:
    way = Exact(KnownMeanings())
    await way.index(CORPUS)

    assert (await way.search(query("what about the flowers"), 1)) == ["roses"]
    assert "tax" in (await way.search(query("XJ-4711"), 2))


async def test_an_ablation_has_a_row_for_every_signal() -> None:
    questions = QuestionSet("talk", "test", CORPUS, [query("bees")], {"bees": {"bees": 1}})

    table = await ablation(questions, KnownMeanings())

    assert [row.split("|")[1].strip() for row in table.splitlines()[2:]] == [
        "(all)",
        "(the four lists)",
        *SIGNALS,
    ]


def test_a_signal_alone_has_its_weight_and_the_others_none() -> None:
    weights = only("words")

    assert [name for name in SIGNALS if getattr(weights, name)] == ["words"]
    assert weights.words == WEIGHTS.words


async def test_a_text_is_embedded_once_however_many_ways_store_it() -> None:
    model = KnownMeanings()
    embedder = EmbedsOnce(model)
    texts = [document.searched_text for document in CORPUS]

    first, second = await embedder.embed(texts), await embedder.embed(texts[::-1])

    assert model.stored == len(texts)
    assert numpy.array_equal(first, second[::-1])


async def test_a_way_is_measured_over_all_queries() -> None:
    questions = QuestionSet(
        name="talk",
        split="test",
        corpus=CORPUS,
        queries=[query("bees", type_="what"), query("XJ-4711", type_="number")],
        qrels={"bees": {"both": 2, "roses": 1}, "XJ-4711": {"tax": 1}},
    )

    measured = await measure(Bm25(), questions)

    assert measured.scores.recall_10 == pytest.approx(0.75)
    assert measured.scores.mrr_10 == 1.0
    assert measured.recall_10_of_type == {"number": 1.0, "what": 0.5}
    assert "| bm25 | " in scores_table([measured])
    assert "| number       | 1.000 |" in types_table([measured])
    assert [f.name for f in figures_of(questions, [measured])][:2] == [
        "talk_test.bm25.ndcg_10",
        "talk_test.bm25.recall_5",
    ]
