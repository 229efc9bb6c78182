"""Which earlier turns are put before the model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.prompts.context import choose_passages, is_echo, sources_of
from shared.contract.events import Source
from shared.contract.requests import Passage, TurnRow
from tests.unit.samples import AT, imported_passage, passage, row

found_ones = st.lists(
    st.builds(passage, st.integers(1, 9), st.text(max_size=30), st.text(max_size=30), quoted=st.booleans()),
    max_size=9,
)
rows = st.lists(st.builds(row, st.integers(5, 14), st.text(max_size=30), st.text(max_size=30)), max_size=5)


def chosen(
    found: list[Passage], rows: list[TurnRow] | None = None, *, most: int = 6, budget: int = 1500
) -> list[int | None]:
    """The numbers of the turns that are chosen."""
    passages = choose_passages(found, rows or [], most=most, budget_tokens=budget)
    return [passage.turn_number for passage in passages]


def test_passages_come_in_their_order_and_then_the_turns_beside_them() -> None:
    assert chosen([passage(7, "bees"), passage(3, "honey")], [row(2, "hello"), row(8, "roses")]) == [
        7,
        3,
        2,
        8,
    ]


def test_a_turn_that_was_found_and_stands_beside_another_is_taken_once() -> None:
    assert chosen([passage(7, "bees"), passage(8, "honey")], [row(8, "honey"), row(6, "wax")]) == [
        7,
        8,
        6,
    ]


def test_imported_messages_are_taken_once_each_also_where_two_sessions_call_them_the_same() -> None:
    here, there = imported_passage("m1", "bees"), imported_passage("m1", "wax", session_id="D2")

    passages = choose_passages([here, passage(7, "honey"), there, here], [], most=6, budget_tokens=1500)

    assert [(one.session_id, one.id) for one in passages] == [
        ("elsewhere", "m1"),
        ("kitchen", "t7"),
        ("D2", "m1"),
    ]
    assert (passages[0].name, passages[0].input, passages[0].output) == (
        "Caroline, 14 March 2026",
        "bees",
        "",
    )
    assert passages[0].message_ids == ["m1"]


def test_a_memory_is_put_before_the_model_as_its_text() -> None:
    fact = imported_passage("f1", "Mira lives in Lisbon.", kind="memory", speaker="user", turn_id="t3")

    (passage,) = choose_passages([fact], [], most=6, budget_tokens=1500)

    assert (passage.kind, passage.input, passage.turn_id) == ("memory", "Mira lives in Lisbon.", "t3")


def test_a_question_that_was_only_answered_with_quotations_is_no_neighbour() -> None:
    answered = passage(3, "Mira lives in Lisbon.")
    echo = row(4, "Where does Mira live?", "Lisbon, says turn 3.", quoted=True, intent="question")
    statement = row(5, "Tom lives in Rome.", "Noted.", quoted=True, intent="statement")

    assert is_echo(echo)
    assert chosen([answered], [echo, statement]) == [3, 5]


def test_a_turn_too_long_for_the_budget_makes_room_for_a_shorter_one() -> None:
    """40 tokens are 160 characters."""
    assert chosen(
        [passage(1, "x" * 161), passage(2, "x" * 100), passage(3, "x" * 61), passage(4, "x" * 60)], budget=40
    ) == [
        2,
        4,
    ]


@pytest.mark.parametrize(("most", "budget"), [(0, 1500), (6, 0)])
def test_without_room_nothing_is_chosen(most: int, budget: int) -> None:
    assert chosen([passage(1, "bees")], most=most, budget=budget) == []


@given(found_ones, rows, st.integers(0, 8), st.integers(0, 60))
def test_the_budget_is_kept_and_no_turn_is_there_twice(
    found: list[Passage], beside: list[TurnRow], most: int, budget: int
) -> None:
    passages = choose_passages(found, beside, most=most, budget_tokens=budget)

    assert len(passages) <= most
    assert sum(len(p.input) + len(p.output) for p in passages) <= 4 * budget
    assert len({p.turn_id for p in passages}) == len(passages)


@given(found_ones, rows, st.integers(0, 8), st.integers(0, 60))
def test_only_what_was_found_or_stands_beside_it_is_chosen(
    found: list[Passage], beside: list[TurnRow], most: int, budget: int
) -> None:
    passages = choose_passages(found, beside, most=most, budget_tokens=budget)

    assert {one.turn_id for one in passages} <= set(_turn_ids(found, beside))


@given(found_ones, rows)
def test_with_room_for_all_they_stand_in_the_order_of_their_finding(
    found: list[Passage], beside: list[TurnRow]
) -> None:
    in_order = list(dict.fromkeys(_turn_ids(found, beside)))  # each once

    passages = choose_passages(found, beside, most=100, budget_tokens=10_000)

    assert [one.turn_id for one in passages] == in_order


def _turn_ids(found: list[Passage], beside: list[TurnRow]) -> list[str | None]:
    return [*(one.turn_id for one in found), *(one.turn_id for one in beside)]


def test_a_source_quotes_what_the_user_said_in_one_short_line() -> None:
    (short, long) = sources_of([passage(1, "My sister\n\nkeeps  bees."), passage(2, "bee " * 100)])

    assert short.quote == "My sister keeps bees."
    assert len(long.quote) == 200
    assert long.quote.endswith("…")


def test_a_source_keeps_all_that_is_known_of_its_origin() -> None:
    (found,) = choose_passages([passage(7, "bees", score=0.75, speaker="user")], [], most=1, budget_tokens=9)
    (beside,) = choose_passages([], [row(8, "wax", "Noted.")], most=1, budget_tokens=9)

    assert sources_of([found, beside]) == [
        Source(
            id="t7",
            turn_id="t7",
            turn_number=7,
            message_ids=["t7:user"],
            session_id="kitchen",
            speaker="user",
            at=AT,
            score=0.75,
            quote="bees",
        ),
        Source(
            id="t8",
            turn_id="t8",
            turn_number=8,
            message_ids=["t8:user", "t8:assistant"],
            session_id="kitchen",
            at=AT,
            score=0.0,
            quote="wax",
        ),
    ]
