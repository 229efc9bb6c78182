"""Stems of words."""

from shared.language.stems import Stems
from shared.language.words import STOP_WORDS


def test_a_word_is_known_in_another_form_and_stop_words_say_nothing() -> None:
    stems = Stems()

    assert stems.content("Where does she live?") == stems.content("LIVING") == {"live"}
    assert stems.content("Mira\u2019s bee's") == {"mira", "bee"}
    assert stems.content("Could you please tell me the other things") == set()
    assert "like" not in STOP_WORDS


def test_a_name_has_a_capital_that_does_not_begin_a_sentence() -> None:
    assert Stems().names("Bread for Mira. Cheese for the Lopez family") == {"mira", "lopez"}


def test_what_was_kept_of_texts_can_be_forgotten() -> None:
    stems = Stems()
    stems.content("bees in Lisbon")

    stems.forget()

    assert stems.stem.cache_info().currsize == 0
