"""What a word is."""

from shared.language.words import first_word, words_of


def test_a_word_keeps_its_apostrophe() -> None:
    assert words_of("Mira's bees don\u2019t sleep_well.") == ["Mira's", "bees", "don\u2019t", "sleep", "well"]
    assert first_word("  \u201cDon\u2019t go.\u201d") == "don't"
    assert first_word("...") == ""
