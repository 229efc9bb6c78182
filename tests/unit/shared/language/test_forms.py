"""Words that are written in several ways, and scripts without spaces."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.qdrant.bm25 import document_weights, query_weights
from shared.language.forms import plain_form
from shared.language.words import words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Stra\u00dfe", "STRASSE"),
        ("I\u015eIK", "\u0131\u015f\u0131k"),
        ("\u0130ZM\u0130R", "izmir"),
        (
            "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3",
            "\u1f48\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c2",
        ),
        ("\u0643\u0650\u062a\u064e\u0627\u0628\u064c", "\u0643\u062a\u0627\u0628"),
        ("\ufe8e\ufedf\ufeb4\ufefc\ufee1", "\u0627\u0644\u0633\u0644\u0627\u0645"),
        ("\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
        ("\uff30\uff4f\uff52\uff54\uff4f", "porto"),
        ("Zu\u0308rich", "z\u00fcrich"),
        ("por\u00adto", "Porto"),
    ],
)
def test_a_word_is_found_however_it_is_written(one: str, other: str) -> None:
    assert plain_form(one) == plain_form(other)
    assert set(document_weights(one).indices) == set(query_weights(other).indices)


def test_other_letters_stay_others() -> None:
    assert plain_form("\u0439") != plain_form("\u0438")
    assert plain_form("ma\u00f1ana") != plain_form("manana")


@given(st.text(max_size=60))
def test_the_plain_form_does_not_depend_on_the_normal_form(text: str) -> None:
    assert plain_form(text) == plain_form(unicodedata.normalize("NFD", text))


def test_unspaced_scripts_are_found_by_pairs_of_letters_and_by_one() -> None:
    assert words_of("\u6211\u6709iPhone\u4e86\u3002\u732b") == ["\u6211\u6709", "iPhone", "\u4e86", "\u732b"]
    said = set(document_weights("\u6211\u7684\u732b\u53eb\u7c73\u7c73").indices)
    assert len(said.intersection(query_weights("\u732b\u53eb\u4ec0\u4e48").indices)) == 1
    assert said.issuperset(query_weights("\u732b").indices)


def test_vowel_signs_are_parts_of_their_word() -> None:
    assert words_of("\u092e\u0947\u0930\u0940 \u092c\u093f\u0932\u094d\u0932\u0940") == [
        "\u092e\u0947\u0930\u0940",
        "\u092c\u093f\u0932\u094d\u0932\u0940",
    ]
