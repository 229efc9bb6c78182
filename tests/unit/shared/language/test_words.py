"""What a word is."""

from hypothesis import given
from hypothesis import strategies as st

from shared.language.words import first_word, words_of


def test_a_word_keeps_its_apostrophe() -> None:
    assert words_of("Mira's bees don\u2019t sleep_well.") == ["Mira's", "bees", "don\u2019t", "sleep", "well"]
    assert first_word("  \u201cDon\u2019t go.\u201d") == "don't"
    assert first_word("...") == ""


@given(st.text(st.characters(max_codepoint=127)))
def test_words_in_plain_letters_are_the_same_beside_others(text: str) -> None:
    assert words_of(f"{text} \u00e9") == [*words_of(text), "\u00e9"]
