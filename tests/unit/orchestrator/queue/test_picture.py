"""Who goes next, as one process sees it: sessions in order, users in turn, leases respected."""

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.queue.item import SessionKey
from services.orchestrator.queue.lease import Claim, Lease
from services.orchestrator.running.claimed import QueuedTurn
from shared.contract.events import TurnRequested
from tests.unit.orchestrator.queue.queue_room import KITCHEN, claimable, free, held, picture, waiting
from tests.unit.samples import AT, requested


def test_turns_of_one_session_go_one_after_another() -> None:
    line = picture(waiting(1), waiting(2), waiting(3, session="garden"))

    assert claimable(line) == [1, 3]

    line.see_lease(KITCHEN, held(1, "me"), revision=10)
    assert claimable(line) == []
    line.see_lease(KITCHEN, free(1), revision=11)
    assert claimable(line) == [], "while the first one is in hand here"
    line.release(KITCHEN)
    assert claimable(line) == [2]


def test_a_claim_names_the_revision_that_it_must_write_over() -> None:
    line = picture(waiting(1), waiting(2))
    line.see_lease(KITCHEN, held(1), revision=10)
    line.see_lease(KITCHEN, free(1), revision=11)

    claim = line.next_claim()

    assert claim is not None
    assert (claim.turn_number, claim.revision, claim.is_takeover) == (2, 11, False)


def test_an_older_revision_of_a_lease_changes_nothing() -> None:
    line = picture(waiting(1), waiting(2))

    assert line.see_lease(KITCHEN, free(1), revision=11)
    assert not line.see_lease(KITCHEN, held(1), revision=10)

    assert claimable(line) == [2]


def test_a_claim_that_did_not_succeed_is_offered_again() -> None:
    line = picture(waiting(1))
    assert claimable(line) == [1]
    assert claimable(line) == [], "while it is being claimed"
    assert not line.has_next()

    line.release(KITCHEN)

    assert line.has_next()
    assert claimable(line) == [1]


def test_the_turn_of_a_dead_process_is_taken_over_before_the_rest_of_its_session() -> None:
    line = picture(waiting(1), waiting(2))
    line.see_lease(KITCHEN, held(1, attempt=3), revision=10)
    assert claimable(line) == []

    line.set_dead({"other"})
    claim = line.next_claim()

    assert claim is not None
    assert (claim.turn_number, claim.is_takeover, claim.lease and claim.lease.attempt) == (1, True, 3)


def test_a_turn_that_the_stream_has_forgotten_is_taken_over_from_its_lease() -> None:
    line = picture()
    line.see_lease(KITCHEN, held(1), revision=10)
    line.set_dead({"other"})

    claim = line.next_claim()

    assert claim is not None
    assert (claim.turn_number, claim.item) == (1, None)


def test_a_turn_that_was_handed_back_may_be_claimed_at_once() -> None:
    line = picture(waiting(1))
    lease = Lease(state="handed_back", holder="other", turn_id="t1", turn_number=1)
    line.see_lease(KITCHEN, lease, revision=10)

    claim = line.next_claim()

    assert claim is not None
    assert claim.is_takeover


def test_a_lease_of_this_process_that_it_does_not_hold_in_hand_is_claimed_again() -> None:
    """NATS stored the claim and its answer was lost: no process runs the turn."""
    line = picture(waiting(1))
    assert claimable(line) == [1]
    line.release(KITCHEN)
    line.see_lease(KITCHEN, held(1, "me"), revision=10)

    claim = line.next_claim()

    assert claim is not None
    assert (claim.turn_number, claim.revision, claim.is_takeover) == (1, 10, True)


def test_a_turn_that_interrupts_overtakes_those_that_wait() -> None:
    line = picture(waiting(1), waiting(2), waiting(3, if_busy="interrupt"))
    line.see_lease(KITCHEN, held(1), revision=10)
    line.see_lease(KITCHEN, free(1), revision=11)

    claim = line.next_claim()

    assert claim is not None
    assert claim.turn_number == 3


def test_a_thousand_turns_of_one_user_do_not_stand_before_another_users_first() -> None:
    many = [waiting(number, session=f"s{number}") for number in range(1, 1001)]
    line = picture(*many, waiting(1001, user="bob", session="one"))

    taken = [line.next_claim(), line.next_claim()]

    assert "bob" in {claim.session[0] for claim in taken if claim}
    places = {turn.number: place for place, turn in line.places()}
    assert places[1001] == 1


def test_the_user_with_fewer_turns_at_work_goes_first() -> None:
    line = picture(*(waiting(number, session=f"s{number}") for number in range(1, 6)))
    for number in (1, 2, 3):
        line.see_lease(("alice", f"s{number}"), held(number), revision=number)
    line.add(waiting(6, user="bob"))

    claim = line.next_claim()

    assert claim is not None
    assert claim.turn_number == 6


def test_the_same_turn_under_another_number_is_not_taken_in() -> None:
    line = picture(waiting(1))
    again = QueuedTurn(number=2, request=requested("t1"), requested_at=AT, seen_at=0.0)

    assert line.add(again) is False
    assert line.add(waiting(1)), "the same message again is no news"
    assert len(line) == 1


def test_a_busy_session_names_the_turn_that_keeps_it_busy() -> None:
    line = picture(waiting(1), waiting(2))
    line.see_lease(KITCHEN, held(1), revision=10)

    running = line.first_of(KITCHEN)

    assert running is not None
    assert running.number == 1
    assert line.first_of(("alice", "garden")) is None
    assert [turn.number for turn in line.after(KITCHEN, 1)] == [2]


def test_a_turn_that_waits_for_a_person_leaves_its_user_a_place_at_work() -> None:
    line = picture(waiting(1), waiting(2, session="garden"), waiting(3, user="bob"))
    line.see_lease(KITCHEN, held(1), revision=10)
    line.see_lease(KITCHEN, held(1, is_waiting=True), revision=11)

    assert claimable(line) == [2, 3]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=30))
def test_every_turn_that_waits_runs_once_and_each_session_in_order(names: list[tuple[str, str]]) -> None:
    turns = [waiting(number, user, session) for number, (user, session) in enumerate(names, 1)]
    line = picture(*turns)
    ran: list[Claim[TurnRequested]] = []
    revision = 0

    while (claim := line.next_claim()) is not None:
        ran.append(claim)
        for lease in (held(claim.turn_number, "me"), free(claim.turn_number)):
            revision += 1
            line.see_lease(claim.session, lease, revision)
        line.release(claim.session)

    assert sorted(claim.turn_number for claim in ran) == [turn.number for turn in turns]
    by_session: dict[SessionKey, list[int]] = {}
    for claim in ran:
        by_session.setdefault(claim.session, []).append(claim.turn_number)
    assert all(numbers == sorted(numbers) for numbers in by_session.values())
    assert len(line) == 0


def test_sessions_that_are_free_for_long_are_forgotten() -> None:
    line = picture()
    for number in range(1, 5001):
        line.see_lease(("alice", f"s{number}"), free(number), revision=number)

    assert line.lease_of(("alice", "s1")) is None
    assert line.lease_of(("alice", "s5000")) is not None
