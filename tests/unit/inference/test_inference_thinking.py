"""Thoughts are left out of answers, however the text is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference.text.thinking import ThoughtFilter


def filtered(pieces: list[str], *, is_open: bool = False) -> str:
    thoughts = ThoughtFilter(is_open=is_open)
    return "".join(map(thoughts.feed, pieces)) + thoughts.end()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("In Lisbon.", "In Lisbon."),
        ("<think>Where?</think>In Lisbon.", "In Lisbon."),
        ("\n<think>\nWhere < there?\n</think>\n\nIn Lisbon.\n", "In Lisbon.\n"),
        ("<think></think>In Lisbon.", "In Lisbon."),
        ("<think>Where", ""),
        ("<think>Where</think>", ""),
        ("<thin ice>", "<thin ice>"),
        ("<thin", "<thin"),
        (" In <think>Lisbon</think>.", " In <think>Lisbon</think>."),
        ("", ""),
    ],
)
def test_a_thought_before_the_answer_is_left_out(text: str, said: str) -> None:
    assert filtered([text]) == said
    assert filtered(list(text)) == said


def test_a_thought_that_the_prompt_has_opened_is_left_out() -> None:
    assert filtered(["Where", "?</thi", "nk>\n\nIn", " Lisbon."], is_open=True) == "In Lisbon."


@given(st.lists(st.text(alphabet="<>/think ab\n", max_size=12), max_size=12), st.booleans())
def test_how_the_text_is_cut_changes_nothing(pieces: list[str], is_open: bool) -> None:
    assert filtered(pieces, is_open=is_open) == filtered(["".join(pieces)], is_open=is_open)
