"""Which of a session's last turns the model is shown: what stays from turn to turn, and what is cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.prompts.history import history_of, most_turns
from shared.contract.requests import TurnRow
from tests.unit.samples import row

MUCH = 1_000_000
lengths = st.lists(st.integers(0, 400), min_size=1, max_size=60)


def said(number: int, characters: int = 40) -> TurnRow:
    return row(number, "x" * characters)


def histories(characters: list[int], turns: int, budget: int) -> list[list[int]]:
    """The turn numbers of the history of each turn of a session, after the first one."""
    found, begin = [], ""
    for last in range(1, len(characters) + 1):
        rows = [said(number, characters[number - 1]) for number in range(1, last + 1)]
        shown = history_of(rows[-most_turns(turns) :], begin, turns=turns, budget_tokens=budget)
        begin = shown[0].turn_id if shown else ""
        found.append([one.turn_number for one in shown])
    return found


def test_it_grows_to_twice_its_turns_and_is_then_cut_back() -> None:
    lengths = [len(one) for one in histories([40] * 14, turns=3, budget=MUCH)]

    assert lengths == [1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5, 3, 4, 5]


@given(lengths, st.integers(1, 8), st.integers(0, 1000))
def test_each_history_is_the_one_before_and_one_turn_more_or_a_cut(
    characters: list[int], turns: int, budget: int
) -> None:
    shown = histories(characters, turns, budget)

    for before, after in pairwise(shown):
        newest = before[-1] + 1
        is_cut = after[0] != before[0]
        assert after == (after if is_cut else [*before, newest])
        assert after[-1] == newest, "the newest turn is always shown"
        assert not is_cut or len(after) <= turns


@given(lengths, st.integers(1, 8))
def test_a_cut_leaves_room_for_as_many_turns_as_it_keeps(characters: list[int], turns: int) -> None:
    shown = histories(characters, turns, MUCH)

    cuts = [place for place in range(1, len(shown)) if shown[place][0] != shown[place - 1][0]]
    assert all(later - earlier == turns for earlier, later in pairwise(cuts))
    assert all(len(one) < 2 * turns for one in shown)
    assert all(len(one) >= min(turns, one[-1]) for one in shown)


@given(lengths, st.integers(1, 8), st.integers(0, 1000))
def test_it_is_within_its_budget_but_for_one_turn(characters: list[int], turns: int, budget: int) -> None:
    for shown in histories(characters, turns, budget):
        tokens = sum(characters[number - 1] // 4 for number in shown)
        assert tokens <= budget or len(shown) == 1


def test_a_history_whose_beginning_is_not_known_begins_anew() -> None:
    rows = [said(number) for number in range(1, 6)]

    shown = history_of(rows, "forgotten", turns=3, budget_tokens=MUCH)

    assert [one.turn_number for one in shown] == [3, 4, 5]


def test_without_turns_nothing_is_shown() -> None:
    assert history_of([said(1)], "t1", turns=0, budget_tokens=MUCH) == []
    assert most_turns(0) == 0
