"""Which turns of its session a turn goes on from."""

import pytest

from services.orchestrator.turn.branches import branch_of, on_branch
from shared.contract.events import TurnRequested
from shared.contract.requests import Recalled
from tests.unit.samples import passage, row

TURNS = [row(1), row(2, follows=1), row(3, follows=1), row(5, follows=2), row(6)]


@pytest.mark.parametrize(
    ("follows", "expected"),
    [(None, [1, 2, 5, 6]), (6, [1, 2, 5, 6]), (3, [1, 3]), (2, [1, 2]), (4, [1, 3]), (0, [])],
)
def test_a_turn_goes_on_from_its_own_branch(follows: int | None, expected: list[int]) -> None:
    assert [one.turn_number for one in branch_of(reversed(TURNS), follows)] == expected


def test_memory_is_told_without_the_turns_that_a_turn_leaves() -> None:
    elsewhere = passage(9, "Elsewhere", session_id="garden")
    memory = passage(0, "A memory", turn_number=None)
    found = Recalled(passages=[passage(1, "One"), passage(2, "Two"), elsewhere, memory], neighbours=TURNS)
    asked = TurnRequested(turn_id="t7", session_id="kitchen", input="?", follows=1)

    left = on_branch(found, asked)

    assert left.passages == [passage(1, "One"), elsewhere, memory]
    assert left.neighbours == [row(1)]
