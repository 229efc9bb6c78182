"""Who goes next: sessions in order, users in turn, leases respected."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.domain.queue import Claim, Lease, SessionKey, TurnQueue, Waiting
from tests.unit.samples import AT, requested


def waiting(number: int, user: str = "alice", session: str = "kitchen", **more: Any) -> Waiting:
    request = requested(f"t{number}", user=user, session_id=session, **more)
    return Waiting(number=number, request=request, requested_at=AT, seen_at=0.0)


def queue(*turns: Waiting) -> TurnQueue:
    made = TurnQueue()
    for turn in turns:
        assert made.add(turn)
    return made


def held(number: int, holder: str = "me", **more: Any) -> Lease:
    return Lease(state="held", holder=holder, turn_id=f"t{number}", turn_number=number, **more)


def free(number: int) -> Lease:
    return Lease(state="free", turn_id=f"t{number}", turn_number=number)


def numbers(queue: TurnQueue) -> list[int]:
    """Of all that may be taken now."""
    found: list[int] = []
    while (claim := queue.next_claim()) is not None:
        found.append(claim.turn_number)
    return found


def test_turns_of_one_session_go_one_after_another() -> None:
    line = queue(waiting(1), waiting(2), waiting(3, session="garden"))

    assert numbers(line) == [1, 3]

    line.see_lease(("alice", "kitchen"), held(1), revision=10)
    assert numbers(line) == []
    line.see_lease(("alice", "kitchen"), free(1), revision=11)
    assert numbers(line) == [2]


def test_a_claim_names_the_revision_that_it_must_write_over() -> None:
    line = queue(waiting(1), waiting(2))
    line.see_lease(("alice", "kitchen"), held(1), revision=10)
    line.see_lease(("alice", "kitchen"), free(1), revision=11)

    claim = line.next_claim()

    assert claim is not None
    assert (claim.turn_number, claim.revision, claim.is_takeover) == (2, 11, False)


def test_an_older_word_about_a_lease_changes_nothing() -> None:
    line = queue(waiting(1), waiting(2))
    line.see_lease(("alice", "kitchen"), free(1), revision=11)
    line.see_lease(("alice", "kitchen"), held(1), revision=10)

    assert numbers(line) == [2]


def test_a_claim_that_did_not_succeed_is_offered_again() -> None:
    line = queue(waiting(1))
    assert numbers(line) == [1]
    assert numbers(line) == [], "while somebody is at it"

    line.give_up(("alice", "kitchen"))

    assert numbers(line) == [1]


def test_the_turn_of_a_dead_process_is_taken_over_before_the_rest_of_its_session() -> None:
    line = queue(waiting(1), waiting(2))
    line.see_lease(("alice", "kitchen"), held(1, holder="other", attempt=3), revision=10)
    assert numbers(line) == []

    line.set_dead({"other"})
    claim = line.next_claim()

    assert claim is not None
    assert (claim.turn_number, claim.is_takeover, claim.lease and claim.lease.attempt) == (1, True, 3)


def test_a_turn_that_the_stream_has_forgotten_is_taken_over_from_its_lease() -> None:
    line = queue()
    line.see_lease(("alice", "kitchen"), held(1, holder="other"), revision=10)
    line.set_dead({"other"})

    claim = line.next_claim()

    assert claim is not None
    assert (claim.turn_number, claim.waiting) == (1, None)


def test_what_was_handed_back_is_free_for_anybody_at_once() -> None:
    line = queue(waiting(1))
    lease = Lease(state="handed_back", holder="other", turn_id="t1", turn_number=1)
    line.see_lease(("alice", "kitchen"), lease, revision=10)

    claim = line.next_claim()

    assert claim is not None
    assert claim.is_takeover


def test_a_turn_that_interrupts_overtakes_those_that_wait() -> None:
    line = queue(waiting(1), waiting(2), waiting(3, if_busy="interrupt"))
    line.see_lease(("alice", "kitchen"), held(1), revision=10)
    line.see_lease(("alice", "kitchen"), free(1), revision=11)

    claim = line.next_claim()

    assert claim is not None
    assert claim.turn_number == 3


def test_a_thousand_turns_of_one_user_do_not_stand_before_another_users_first() -> None:
    many = [waiting(number, session=f"s{number}") for number in range(1, 1001)]
    line = queue(*many, waiting(1001, user="bob", session="one"))

    taken = [line.next_claim(), line.next_claim()]

    assert "bob" in {claim.session[0] for claim in taken if claim}
    places = {turn.number: place for place, turn in line.places()}
    assert places[1001] == 1


def test_the_user_with_fewer_turns_at_work_goes_first() -> None:
    line = queue(*(waiting(number, session=f"s{number}") for number in range(1, 6)))
    for number in (1, 2, 3):
        line.see_lease(("alice", f"s{number}"), held(number), revision=number)
    line.add(waiting(6, user="bob"))

    claim = line.next_claim()

    assert claim is not None
    assert claim.turn_number == 6


def test_the_same_turn_under_another_number_is_not_taken_in() -> None:
    line = queue(waiting(1))
    again = Waiting(number=2, request=requested("t1"), requested_at=AT, seen_at=0.0)

    assert line.add(again) is False
    assert line.add(waiting(1)), "the same message again is no news"
    assert len(line) == 1


def test_a_busy_session_names_the_turn_that_keeps_it_busy() -> None:
    line = queue(waiting(1), waiting(2))
    session = ("alice", "kitchen")
    line.see_lease(session, held(1), revision=10)

    running = line.running_of(session)

    assert running is not None
    assert running.number == 1
    assert line.running_of(("alice", "garden")) is None
    assert [turn.number for turn in line.behind(session, 1)] == [2]


def test_a_turn_that_waits_for_a_person_puts_nobody_behind() -> None:
    line = queue(waiting(1), waiting(2, session="garden"), waiting(3, user="bob"))
    line.see_lease(("alice", "kitchen"), held(1), revision=10)
    line.see_lease(("alice", "kitchen"), held(1, is_waiting=True), revision=11)

    assert numbers(line) == [2, 3]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=30))
def test_whatever_waits_every_turn_runs_once_and_each_session_in_order(names: list[tuple[str, str]]) -> None:
    turns = [waiting(number, user, session) for number, (user, session) in enumerate(names, 1)]
    line = queue(*turns)
    ran: list[Claim] = []
    revision = 0

    while (claim := line.next_claim()) is not None:
        ran.append(claim)
        for lease in (held(claim.turn_number), free(claim.turn_number)):
            revision += 1
            line.see_lease(claim.session, lease, revision)

    assert sorted(claim.turn_number for claim in ran) == [turn.number for turn in turns]
    by_session: dict[SessionKey, list[int]] = {}
    for claim in ran:
        by_session.setdefault(claim.session, []).append(claim.turn_number)
    assert all(numbers == sorted(numbers) for numbers in by_session.values())
    assert len(line) == 0


def test_sessions_that_are_free_for_long_are_forgotten() -> None:
    line = queue()
    for number in range(1, 5001):
        line.see_lease(("alice", f"s{number}"), free(number), revision=number)

    assert line.lease_of(("alice", "s1")) is None
    assert line.lease_of(("alice", "s5000")) is not None
