"""Which sentences show why a text was found."""

from hypothesis import given
from hypothesis import strategies as st

from services.indexer.search.highlights import highlights
from shared.language.stems import Stems

TEXT = "Mira keeps bees. She lives in Lisbon! Do the roses need sun? The bees like roses.\nTax is due."
STEMS = Stems()


def shown(text: str, query: str) -> list[str]:
    return highlights(text, STEMS.content(query), STEMS)


def test_the_sentence_with_most_of_the_words_comes_first() -> None:
    assert shown(TEXT, "bees and roses") == [
        "The bees like roses.",
        "Mira keeps bees.",
        "Do the roses need sun?",
    ]


def test_a_word_is_known_in_another_form_and_in_any_case() -> None:
    assert shown(TEXT, "LIVING where?") == ["She lives in Lisbon!"]


def test_words_that_every_text_has_show_nothing() -> None:
    assert shown(TEXT, "is the in and she") == []
    assert shown(TEXT, "") == []
    assert shown("", "bees") == []


def test_a_line_ends_a_sentence() -> None:
    assert shown(TEXT, "tax") == ["Tax is due."]


def test_there_are_at_most_three_the_first_ones_first() -> None:
    text = " ".join(f"Bee number {n}." for n in range(9))

    assert shown(text, "bees") == ["Bee number 0.", "Bee number 1.", "Bee number 2."]


def test_a_number_with_a_point_is_no_end() -> None:
    assert shown("It costs 3.50 euros a jar. Cheap.", "euros") == ["It costs 3.50 euros a jar."]


@given(st.text(max_size=200), st.text(max_size=40))
def test_every_highlight_is_a_part_of_the_text_and_there_once_a_place(text: str, query: str) -> None:
    found = shown(text, query)

    assert len(found) <= 3
    assert all(one and one in text for one in found)
    assert shown(text, query) == found


@given(st.text(alphabet="ab .!\n", max_size=60))
def test_a_text_that_shares_no_word_has_no_highlight(text: str) -> None:
    assert shown(text, "bees roses") == []
