"""How good a ranking is, for one query. `ranked`: document ids, best first, none twice.

A document is evidence where its grade is above 0. Grades are linear gains, as in trec_eval, so that figures
can be held against those that others publish for sets in this layout.
"""

from collections.abc import Mapping, Sequence
from math import log2


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """Gain, discounted by log2(rank + 1), of the first `depth`, divided by that of the best order: 0 to 1.

    Jarvelin and Kekalainen, Cumulated gain-based evaluation of IR techniques (2002).
    """
    best = _discounted(sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:depth])
    return _discounted([grades.get(document, 0) for document in ranked[:depth]]) / best if best else 0.0


def recall(ranked: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """The share of all evidence that is among the first `depth`: 0 to 1."""
    evidence = {document for document, grade in grades.items() if grade > 0}
    return len(evidence.intersection(ranked[:depth])) / len(evidence) if evidence else 0.0


def reciprocal_rank(ranked: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """1 / the rank of the first evidence; 0 where none is among the first `depth`."""
    for rank, document in enumerate(ranked[:depth], 1):
        if grades.get(document, 0) > 0:
            return 1 / rank
    return 0.0


def _discounted(gains: Sequence[int]) -> float:
    return sum(max(gain, 0) / log2(rank + 1) for rank, gain in enumerate(gains, 1))
