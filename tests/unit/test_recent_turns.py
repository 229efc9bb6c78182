"""What a session said last, before it is indexed."""

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.recent import RecentTurns
from shared.replies import TurnRow
from tests.unit.samples import row


def numbers(rows: list[TurnRow]) -> list[int]:
    return [one.turn_number for one in rows]


def test_a_turn_is_remembered_before_it_is_indexed() -> None:
    recent = RecentTurns()
    recent.add("alice", row(2, "two"))

    assert numbers(recent.joined("alice", "kitchen", [row(1, "one")], before=3, limit=6)) == [1, 2]


def test_a_turn_that_is_indexed_meanwhile_is_there_once() -> None:
    recent = RecentTurns()
    recent.add("alice", row(1))

    assert numbers(recent.joined("alice", "kitchen", [row(1)], before=3, limit=6)) == [1]


def test_a_turn_does_not_see_itself_nor_what_came_after_it() -> None:
    recent = RecentTurns()
    for number in (4, 5, 6):
        recent.add("alice", row(number))

    assert numbers(recent.joined("alice", "kitchen", [row(7)], before=5, limit=6)) == [4]


def test_sessions_and_users_are_kept_apart() -> None:
    recent = RecentTurns()
    recent.add("alice", row(1))
    recent.add("alice", row(2, session_id="garden"))
    recent.add("bob", row(3))

    assert numbers(recent.joined("alice", "kitchen", [], before=9, limit=6)) == [1]
    assert numbers(recent.joined("alice", "garden", [], before=9, limit=6)) == [2]
    assert numbers(recent.joined("bob", "kitchen", [], before=9, limit=6)) == [3]
    assert numbers(recent.joined("carol", "kitchen", [], before=9, limit=6)) == []


def test_of_a_long_session_the_last_twenty_turns_are_kept() -> None:
    recent = RecentTurns()
    for number in range(1, 101):
        recent.add("alice", row(number))

    assert numbers(recent.joined("alice", "kitchen", [], before=1000, limit=1000)) == list(range(81, 101))


def test_of_many_sessions_the_one_silent_for_longest_is_forgotten() -> None:
    recent = RecentTurns()
    recent.add("alice", row(1, session_id="first"))
    recent.add("alice", row(2, session_id="second"))
    for number in range(9_998):
        recent.add("alice", row(number, session_id=f"s{number}"))
    recent.add("alice", row(10_000, session_id="first"))
    recent.add("alice", row(10_001, session_id="one-more"))

    assert numbers(recent.joined("alice", "first", [], before=99_999, limit=6)) == [1, 10_000]
    assert numbers(recent.joined("alice", "second", [], before=99_999, limit=6)) == []


@given(
    st.lists(st.integers(1, 40), max_size=30),
    st.lists(st.integers(1, 40), max_size=30),
    st.integers(1, 45),
    st.integers(0, 25),
)
def test_the_last_turns_before_one_come_in_order_each_once(
    here: list[int], stored: list[int], before: int, limit: int
) -> None:
    recent = RecentTurns()
    for number in here:
        recent.add("alice", row(number))

    found = numbers(recent.joined("alice", "kitchen", [row(n) for n in stored], before=before, limit=limit))

    known = sorted({n for n in (*here[-20:], *stored) if n < before})
    assert found == (known[-limit:] if limit else [])
