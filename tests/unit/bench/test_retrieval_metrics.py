"""How good a ranking is: values worked out by hand, and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.retrieval.metrics import ndcg, recall, reciprocal_rank

documents = st.lists(st.sampled_from("abcdefghij"), unique=True)
grades = st.dictionaries(st.sampled_from("abcdefghijklm"), st.integers(0, 4))
depths = st.integers(1, 12)


def test_gains_are_graded_and_discounted_by_rank() -> None:
    # (2 / log2(3) + 1 / log2(4)) / (2 / log2(2) + 1 / log2(3)) = 1.76186 / 2.63093
    assert ndcg(["x", "best", "good"], {"best": 2, "good": 1, "x": 0}, 10) == pytest.approx(
        0.669671, abs=1e-6
    )
    # 1 / (1 + 1 / log2(3)): two of one grade, one of them found, at rank 1
    assert ndcg(["a"], {"a": 2, "b": 2}, 10) == pytest.approx(0.613147, abs=1e-6)


def test_what_lies_below_the_depth_counts_for_nothing() -> None:
    ranked, judged = ["x", "y", "a"], {"a": 1}

    assert (ndcg(ranked, judged, 2), recall(ranked, judged, 2), reciprocal_rank(ranked, judged, 2)) == (
        0,
        0,
        0,
    )
    assert ndcg(ranked, judged, 3) == pytest.approx(0.5)
    assert recall(ranked, judged, 3) == 1.0
    assert reciprocal_rank(ranked, judged, 3) == pytest.approx(1 / 3)


def test_recall_is_the_share_of_all_evidence() -> None:
    judged = {"a": 2, "b": 1, "c": 1, "old": 0}

    assert recall(["a", "old", "c"], judged, 10) == pytest.approx(2 / 3)
    assert recall(["old"], judged, 10) == 0.0


def test_the_first_evidence_counts_and_what_was_overtaken_is_none() -> None:
    assert reciprocal_rank(["old", "new", "more"], {"old": 0, "new": 2, "more": 1}, 10) == 0.5


def test_nothing_asked_or_nothing_found_is_nothing() -> None:
    for score in (ndcg, recall, reciprocal_rank):
        assert score([], {"a": 1}, 10) == 0.0
        assert score(["a"], {}, 10) == 0.0


@given(documents, grades, depths)
def test_every_score_lies_between_nothing_and_all(
    ranked: list[str], judged: dict[str, int], depth: int
) -> None:
    for score in (ndcg, recall, reciprocal_rank):
        assert 0.0 <= score(ranked, judged, depth) <= 1.0 + 1e-9


@given(grades, depths)
def test_the_best_order_has_all_the_gain(judged: dict[str, int], depth: int) -> None:
    best = sorted(judged, key=lambda document: -judged[document])

    assert ndcg(best, judged, depth) == pytest.approx(1.0 if any(judged.values()) else 0.0)


@given(documents, grades, depths, st.data())
def test_moving_the_better_of_two_neighbours_up_never_costs_anything(
    ranked: list[str], judged: dict[str, int], depth: int, data: st.DataObject
) -> None:
    if len(ranked) < 2:
        return
    place = data.draw(st.integers(0, len(ranked) - 2))
    first, second = ranked[place : place + 2]
    if judged.get(first, 0) > judged.get(second, 0):
        first, second = second, first
    worse = [*ranked[:place], first, second, *ranked[place + 2 :]]
    better = [*ranked[:place], second, first, *ranked[place + 2 :]]

    assert ndcg(better, judged, depth) >= ndcg(worse, judged, depth) - 1e-9
    assert reciprocal_rank(better, judged, depth) >= reciprocal_rank(worse, judged, depth)


@given(documents, grades, depths)
def test_looking_deeper_never_finds_less(ranked: list[str], judged: dict[str, int], depth: int) -> None:
    assert recall(ranked, judged, depth) <= recall(ranked, judged, depth + 1)
