"""Texts that fit a line."""

from hypothesis import given
from hypothesis import strategies as st

from shared.language.shortening import one_line, shortened


def test_line_breaks_and_gaps_become_spaces() -> None:
    assert one_line(" a\n\n b\tc ") == "a b c"


def test_a_text_that_fits_stays_and_a_longer_one_is_cut() -> None:
    assert shortened("bees \n on a roof", 14) == "bees on a roof"
    assert shortened("bees on a roof", 13) == "bees on a ro…"


@given(st.text(), st.integers(1, 30))
def test_it_is_never_longer_than_it_may_be(text: str, longest: int) -> None:
    assert len(shortened(text, longest)) <= longest
