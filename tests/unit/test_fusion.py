"""Joining what meaning found with what words found."""

from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.domain.fusion import Candidate, fuse
from tests.unit.samples import candidate

# Sixty-fourths: their differences are exact, so that a law does not break on the last bit of a float.
similarities = st.integers(-64, 64).map(lambda n: n / 64)
weights = st.integers(0, 640).map(lambda n: n / 64)
found = st.lists(
    st.tuples(st.none() | similarities, st.none() | weights).filter(lambda pair: pair != (None, None)),
    max_size=12,
).map(lambda pairs: [Candidate(f"t{i:02d}", m, w) for i, (m, w) in enumerate(pairs)])


def ranks(candidates: list[Candidate]) -> list[str]:
    return [ranked.turn_id for ranked in fuse(candidates, len(candidates))]


def test_a_turn_that_both_searches_found_goes_before_one_that_only_one_found() -> None:
    by_both = candidate("both", 0.8, 6.0)
    by_meaning = candidate("meaning", 0.9)
    by_words = candidate("words", None, 7.0)
    weak = candidate("weak", 0.1, 0.5)

    assert ranks([weak, by_meaning, by_words, by_both])[0] == "both"


def test_words_find_what_meaning_misses_and_the_other_way_round() -> None:
    best = fuse([candidate("bees", 0.9), candidate("rose", 0.1), candidate("id-4711", None, 5.0)], 3)

    assert [ranked.turn_id for ranked in best] == ["bees", "id-4711", "rose"]
    assert (best[1].similarity, best[1].words) == (0.0, 5.0)
    assert (best[0].similarity, best[0].words) == (0.9, 0.0)


def test_nothing_found_ranks_nothing() -> None:
    assert fuse([], 10) == []


def test_one_turn_alone_is_the_best_there_is() -> None:
    (only,) = fuse([candidate("only", 0.4)], 10)

    assert only.score == 0.5


def test_turns_of_equal_score_keep_one_order() -> None:
    assert ranks([candidate("b", 0.5), candidate("a", 0.5), candidate("c", 0.5)]) == ["a", "b", "c"]


@given(found, st.integers(0, 15))
def test_at_most_the_limit_is_ranked_and_nothing_twice(candidates: list[Candidate], limit: int) -> None:
    ranked = fuse(candidates, limit)

    assert len(ranked) == min(limit, len(candidates))
    assert len({one.turn_id for one in ranked}) == len(ranked)


@given(found)
def test_scores_lie_between_0_and_1_and_fall(candidates: list[Candidate]) -> None:
    scores = [ranked.score for ranked in fuse(candidates, len(candidates))]

    assert all(0.0 <= score <= 1.0 for score in scores)
    assert scores == sorted(scores, reverse=True)


@given(found, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(candidates: list[Candidate], chance: object) -> None:
    shuffled = list(candidates)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    assert fuse(shuffled, 12) == fuse(candidates, 12)


@given(found.filter(bool), st.data())
def test_a_higher_score_in_either_search_never_ranks_a_turn_lower(
    candidates: list[Candidate], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(candidates) - 1))
    one = candidates[place]
    better = one
    if one.similarity is not None:
        better = msgspec.structs.replace(
            better, similarity=data.draw(similarities.filter(lambda s: s >= (one.similarity or 0)))
        )
    if one.words is not None:
        better = msgspec.structs.replace(
            better, words=data.draw(weights.filter(lambda w: w >= (one.words or 0)))
        )
    raised = [*candidates[:place], better, *candidates[place + 1 :]]

    assert ranks(raised).index(one.turn_id) <= ranks(candidates).index(one.turn_id)
    assert Fraction(score_of(raised, one)) >= Fraction(score_of(candidates, one))


@given(found, st.integers(1, 12))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(candidates: list[Candidate], limit: int) -> None:
    assert fuse(candidates, limit) == fuse(candidates, 100)[:limit]


def score_of(candidates: list[Candidate], one: Candidate) -> float:
    return next(ranked.score for ranked in fuse(candidates, 100) if ranked.turn_id == one.turn_id)
