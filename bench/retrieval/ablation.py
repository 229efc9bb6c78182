"""What each signal of the ranking is worth: all of them, all but one, and one alone."""

from statistics import fmean

import msgspec

from bench.retrieval.exact import Exact
from bench.retrieval.metrics import recall
from bench.retrieval.scores import aligned
from bench.retrieval.sets import QuestionSet
from services.indexer.embedding.embedder import Embedder
from services.indexer.passages.index import Candidate
from services.indexer.search.questions import Asked
from services.indexer.search.ranking import SIGNALS, WEIGHTS, Weights, rank

_OF_LISTS = ("meaning", "meaning_near", "words", "words_near")


class Found(msgspec.Struct, frozen=True):
    """What one question has found; it is ranked once for each row of the table."""

    query: str
    user: str
    asked: Asked
    candidates: list[Candidate]


async def ablation(questions: QuestionSet, embedder: Embedder) -> str:
    """A table of recall@10. `alone`: a list by itself; any other signal together with the four lists."""
    way = Exact(embedder)
    await way.index(questions.corpus)
    found = [Found(query.id, query.metadata.user, *await way.asked(query)) for query in questions.queries]
    lists = only(*_OF_LISTS)
    rows: list[tuple[str, ...]] = [
        ("signal", "weight", "without", "alone"),
        ("(all)", "1.00", "", _recall(way, questions, found, WEIGHTS)),
        ("(the four lists)", f"{_sum(lists):.2f}", "", _recall(way, questions, found, lists)),
    ]
    for name in SIGNALS:
        without = msgspec.structs.replace(WEIGHTS, **{name: 0.0})
        alone = only(name) if name in _OF_LISTS else only(name, *_OF_LISTS)
        shares = [_recall(way, questions, found, weights) for weights in (without, alone)]
        rows.append((name, f"{getattr(WEIGHTS, name):.2f}", *shares))
    return aligned(rows)


def only(*names: str) -> Weights:
    """The weights of these signals, and nothing of all others."""
    return msgspec.structs.replace(WEIGHTS, **{name: 0.0 for name in SIGNALS if name not in names})


def _sum(weights: Weights) -> float:
    return float(sum(getattr(weights, name) for name in SIGNALS))


def _recall(way: Exact, questions: QuestionSet, found: list[Found], weights: Weights) -> str:
    shares = []
    for one in found:
        ranked = rank(one.asked, one.candidates, now=way.exact_index.latest(one.user), weights=weights)
        shares.append(recall([r.key for r in ranked], questions.qrels[one.query], 10))
    return f"{fmean(shares):.3f}"
