"""Which hits have to do with the query."""

from services.indexer.search.relevance import best_turns, relevant_hits
from tests.unit.samples import hit, imported_hit


def test_what_neither_means_the_same_nor_shares_a_word_is_left_out() -> None:
    unrelated = hit(1, "Tax forms", similarity=0.29, words=0.0)
    alike = hit(2, "Apiaries", similarity=0.3, words=0.0)
    same_word = hit(3, "Bees", similarity=0.1, words=0.5)

    assert relevant_hits([unrelated, alike, same_word]) == [alike, same_word]


def test_only_the_best_two_have_neighbours_worth_reading() -> None:
    hits = [hit(7, "bees"), imported_hit("m1", "bees"), hit(3, "honey")]

    assert best_turns(hits) == ["t7"]
    assert best_turns(hits[::2]) == ["t7", "t3"]
