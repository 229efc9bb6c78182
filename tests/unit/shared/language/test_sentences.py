"""Where a sentence ends."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.language.sentences import sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dr. Silva said 3.5 weeks. Then I may run!", ["Dr. Silva said 3.5 weeks.", "Then I may run!"]),
        ("I live in St. Louis. I like it.", ["I live in St. Louis.", "I like it."]),
        ("A. B. Smith wrote it. I saw J. Doe.", ["A. B. Smith wrote it.", "I saw J. Doe."]),
        ("It costs 3.50 euros a jar. Cheap.", ["It costs 3.50 euros a jar.", "Cheap."]),
        ("It's 5 p.m. tomorrow. See e.g. this.", ["It's 5 p.m. tomorrow.", "See e.g. this."]),
        ('He said "I live in Rome." Then he left.', ['He said "I live in Rome."', "Then he left."]),
        ('"I live in Rome. It is nice." Then he left.', ['"I live in Rome. It is nice."', "Then he left."]),
        ("Wait... what? Hmm\u2026 okay.", ["Wait... what?", "Hmm\u2026 okay."]),
        ("I moved... I like it. Well\u2026 I do.", ["I moved...", "I like it.", "Well\u2026", "I do."]),
        ("Wow!!! I live in Rome!! Nice.", ["Wow!!!", "I live in Rome!!", "Nice."]),
        (
            "Wim is from me. Ludo laughed. It is in May. Wim knows.",
            ["Wim is from me.", "Ludo laughed.", "It is in May.", "Wim knows."],
        ),
        ("I live in Ft. Worth. It rains.", ["I live in Ft. Worth.", "It rains."]),
        ("Meet Capt. Hook. Lt. Dan left.", ["Meet Capt. Hook.", "Lt. Dan left."]),
        ("I work at Acme Inc. I like it.", ["I work at Acme Inc.", "I like it."]),
        (
            'He said "Wow!! I live in Rome." Then he left.',
            ['He said "Wow!! I live in Rome."', "Then he left."],
        ),
        ("(It was for me. Mira knows.) She is here.", ["(It was for me. Mira knows.) She is here."]),
        ("no capital. after the dot", ["no capital.", "after the dot"]),
        ("I like tea.I like it.", ["I like tea.", "I like it."]),
        ("See https://a.com/x.html?b=1. Mail a.b@c.de.", ["See https://a.com/x.html?b=1.", "Mail a.b@c.de."]),
        ("Groceries:\n- buy milk\n2. call J. Doe\n\n", ["Groceries:", "buy milk", "call J. Doe"]),
        (
            "\u79c1\u306f\u6771\u4eac\u3067\u3059\u3002\u672c\u5f53?\u306f\u3044\u3002",
            ["\u79c1\u306f\u6771\u4eac\u3067\u3059\u3002", "\u672c\u5f53?", "\u306f\u3044\u3002"],
        ),
        (
            "\u6211\u4f4f\u5728\u91cc\u65af\u672c\u3002\u4f60\u5462\uff1f",
            ["\u6211\u4f4f\u5728\u91cc\u65af\u672c\u3002", "\u4f60\u5462\uff1f"],
        ),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_a_text_has_these_sentences(text: str, found: list[str]) -> None:
    assert list(sentences(text)) == found


def test_abbreviations_are_those_of_the_language() -> None:
    german = "Am 3. Mai war z.B. Prof. M\u00fcller da. Und d.h. fertig."

    assert list(sentences(german, "de")) == [
        "Am 3. Mai war z.B. Prof. M\u00fcller da.",
        "Und d.h. fertig.",
    ]
    assert list(sentences("I live. So.", "xx")) == ["I live.", "So."]


@pytest.mark.parametrize("text", ["Plan B\u00a0. Then we go.", "C\u3000. B", "a\ud800. b"])
def test_a_text_at_which_the_library_fails_has_sentences_all_the_same(text: str) -> None:
    assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("text", ["\u00ab" * 100_000, "`" * 100_000, "A. " * 30_000, "'a " * 30_000])
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    found = list(sentences(text))

    assert time.process_time() - began < 2.0
    assert max(map(len, found)) <= 2_000


def test_a_long_line_is_cut_where_a_sentence_seems_to_end() -> None:
    line = "It went well. " * 300

    assert list(sentences(line)) == ["It went well."] * 300
    assert list(sentences("word " * 900)) == [
        ("word " * 400).strip(),
        ("word " * 400).strip(),
        ("word " * 100).strip(),
    ]


_MARKS = st.text(
    alphabet=st.sampled_from("Iab .!?\u2026\"'\u201c\u201d\u00ab\u00bb()\u00a0\u3000\u2028\n1-"), max_size=80
)


@given(st.one_of(st.text(max_size=200), _MARKS))
def test_every_sentence_is_in_the_text_letter_by_letter_and_in_order(text: str) -> None:
    place = 0
    for sentence in sentences(text):
        assert sentence == sentence.strip() != ""
        assert "\n" not in sentence
        place = text.index(sentence, place) + len(sentence)


@given(st.one_of(st.text(max_size=200), _MARKS))
def test_no_word_is_lost(text: str) -> None:
    letters = [letter for letter in text if letter.isalpha()]

    assert [letter for sentence in sentences(text) for letter in sentence if letter.isalpha()] == letters
