"""Which cancelled turns stay in their session's history."""

import pytest

from services.indexer.messages.turns import is_history
from shared.contract.events import TurnCancelled, WhyCancelled
from tests.unit.samples import AT


@pytest.mark.parametrize(
    ("why", "said", "stays"),
    [
        ("cancelled", "Where is Mira?", True),
        ("interrupted", "Where is Mira?", True),
        ("replaced", "Where is Mira?", False),
        ("cancelled", "", False),
    ],
)
def test_a_cancelled_turn_stays_unless_another_stands_in_its_place(
    why: WhyCancelled, said: str, stays: bool
) -> None:
    event = TurnCancelled(
        turn_id="t1", turn_number=1, session_id="kitchen", user="alice", cancelled_at=AT, why=why, input=said
    )

    assert is_history(event) is stays
