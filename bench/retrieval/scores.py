"""The scores of one way over a question set, the table of them, and results.json."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from time import perf_counter

import msgspec

from bench.retrieval.metrics import ndcg, recall, reciprocal_rank
from bench.retrieval.sets import QuestionSet
from bench.retrieval.ways import Way
from bench.running.figures import Figure, _line, percentile, plain

RESULTS = Path(__file__).parent / "results.json"
_DEPTH = 20


class Scores(msgspec.Struct, frozen=True):
    """Means over the queries, 0 to 1, and milliseconds of one query asked alone."""

    ndcg_10: float
    recall_5: float
    recall_10: float
    recall_20: float
    mrr_10: float
    p50: float
    p99: float


class Measured(msgspec.Struct, frozen=True):
    way: str
    scores: Scores
    recall_10_of_type: dict[str, float]
    """Where the set says of what type its queries are."""


async def measure(way: Way, questions: QuestionSet) -> Measured:
    """Indexes the corpus, then asks one query after the other."""
    await way.index(questions.corpus)
    await way.search(questions.queries[0], _DEPTH)  # Warm.
    rankings: list[list[str]] = []
    seconds: list[float] = []
    for query in questions.queries:
        start = perf_counter()
        rankings.append(await way.search(query, _DEPTH))
        seconds.append(perf_counter() - start)
    return Measured(way.name, _scores(questions, rankings, seconds), _of_types(questions, rankings))


def _scores(questions: QuestionSet, rankings: list[list[str]], seconds: list[float]) -> Scores:
    pairs = _pairs(questions, rankings)
    return Scores(
        ndcg_10=fmean(ndcg(ranked, grades, 10) for ranked, grades in pairs),
        recall_5=fmean(recall(ranked, grades, 5) for ranked, grades in pairs),
        recall_10=fmean(recall(ranked, grades, 10) for ranked, grades in pairs),
        recall_20=fmean(recall(ranked, grades, 20) for ranked, grades in pairs),
        mrr_10=fmean(reciprocal_rank(ranked, grades, 10) for ranked, grades in pairs),
        p50=1000 * median(seconds),
        p99=1000 * percentile(seconds, 0.99),
    )


def _of_types(questions: QuestionSet, rankings: list[list[str]]) -> dict[str, float]:
    recalls: dict[str, list[float]] = {}
    for query, (ranked, grades) in zip(questions.queries, _pairs(questions, rankings), strict=True):
        if query.metadata.type:
            recalls.setdefault(query.metadata.type, []).append(recall(ranked, grades, 10))
    return {name: fmean(values) for name, values in sorted(recalls.items())}


def _pairs(questions: QuestionSet, rankings: list[list[str]]) -> list[tuple[list[str], dict[str, int]]]:
    return [
        (ranked, questions.qrels[query.id]) for query, ranked in zip(questions.queries, rankings, strict=True)
    ]


def scores_table(measured: Sequence[Measured]) -> str:
    """One row a way of searching."""
    rows: list[tuple[str, ...]] = [
        ("way", "nDCG@10", "recall@5", "recall@10", "recall@20", "MRR@10", "p50 ms", "p99 ms")
    ]
    for one in measured:
        s = one.scores
        shares = [f"{value:.3f}" for value in (s.ndcg_10, s.recall_5, s.recall_10, s.recall_20, s.mrr_10)]
        rows.append((one.way, *shares, f"{s.p50:.2f}", f"{s.p99:.2f}"))
    return aligned(rows)


def types_table(measured: Sequence[Measured]) -> str:
    """recall@10 of each type of query, one column a way; empty where the set names no types."""
    types = list(measured[0].recall_10_of_type)
    rows = [("recall@10 of", *(one.way for one in measured))]
    rows += [(name, *(f"{one.recall_10_of_type[name]:.3f}" for one in measured)) for name in types]
    return aligned(rows) if types else ""


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Markdown, the first row its heading."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def figures_of(questions: QuestionSet, measured: Sequence[Measured]) -> list[Figure]:
    """As results.json keeps them: `<set>_<split>.<way>.<score>`."""
    return [
        plain(f"{questions.name}_{questions.split}.{one.way}.{name}", value, _unit(name))
        for one in measured
        for name, value in msgspec.structs.asdict(one.scores).items()
    ]


def _unit(score: str) -> str:
    return "ms" if score in ("p50", "p99") else "share"
