"""Memories out of statements: what confirms, what supersedes, what contradicts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.memories.history import history_of
from services.indexer.memories.slots import slot_of
from services.indexer.memories.statement import Said
from tests.unit.indexer.memories.memories_room import DAY, NOON, said, story

# --- superseding and confirming ---


def test_a_newer_statement_supersedes_an_older_one_which_stays_as_history() -> None:
    lisbon, porto = history_of([said("Lisbon"), said("Porto", DAY)])

    assert (lisbon.valid_to, lisbon.superseded_by) == (NOON + DAY, porto.memory_id)
    assert (porto.valid_to, porto.superseded_by, porto.contradicts) == (None, None, [])


def test_it_is_the_time_that_counts_and_not_the_order_of_arrival() -> None:
    assert history_of([said("Porto", DAY), said("Lisbon")]) == history_of(
        [said("Lisbon"), said("Porto", DAY)]
    )


def test_the_same_again_is_the_same_memory_and_surer() -> None:
    (lisbon,) = history_of([said("Lisbon"), said("the lisbon!", 30 * DAY, confidence=0.5)])

    assert len(lisbon.evidence) == 2
    assert 0.9 < lisbon.confidence < 1
    assert lisbon.confirmed_at == NOON + 30 * DAY
    assert lisbon.memory_id == "Lisbon-0"


def test_who_moves_back_has_lived_there_twice() -> None:
    assert story(history_of([said("Lisbon"), said("Porto", DAY), said("Lisbon", 2 * DAY)])) == [
        ("Lisbon", 1, NOON + DAY),
        ("Porto", 1, NOON + 2 * DAY),
        ("Lisbon", 1, None),
    ]


def test_a_statement_about_the_time_before_takes_its_place_in_between() -> None:
    assert story(history_of([said("Lisbon"), said("Faro", 2 * DAY), said("Porto", DAY)])) == [
        ("Lisbon", 1, NOON + DAY),
        ("Porto", 1, NOON + 2 * DAY),
        ("Faro", 1, None),
    ]


def test_what_ends_by_its_own_word_ends_then_and_may_begin_anew() -> None:
    rented = said("Lisbon", valid_to=NOON + DAY)

    assert story(history_of([rented])) == [("Lisbon", 1, NOON + DAY)]
    assert story(history_of([rented, said("Porto", 3 * DAY)])) == [
        ("Lisbon", 1, NOON + DAY),
        ("Porto", 1, None),
    ]
    assert story(history_of([rented, said("Lisbon", 3 * DAY)])) == [
        ("Lisbon", 1, NOON + DAY),
        ("Lisbon", 1, None),
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (said("Lisbon"), said("Porto"), True),
        (said("Lisbon"), said("Porto", subject="Nadia"), False),
        (said("Lisbon", subject="Nadia"), said("Porto", subject="nadia"), True),
        (said("Lisbon"), said("Acme", attribute="employer"), False),
        (said("green", attribute="favourite colour"), said("blue", attribute="favourite colour"), True),
        (said("peanuts", attribute="allergy"), said("kiwis", attribute="allergy"), False),
        (said("peanuts", attribute="allergy"), said("Peanuts.", attribute="allergy"), True),
        (said("Mira", attribute="sister"), said("Ana", attribute="sister"), False),
        (said("E\u0301vora", attribute="hobby"), said("\u00c9vora", attribute="hobby"), True),
        (said("\u0915\u093f", attribute="hobby"), said("\u0915\u0940", attribute="hobby"), False),
        (said("tea", attribute="likes"), said("tea", attribute="dislikes"), True),
        (said("tea", attribute="likes"), said("coffee", attribute="dislikes"), False),
        (said("", attribute="", text="The code is 1."), said("", attribute="", text="The code is 2."), False),
        (said("", attribute="", text="The code is 1."), said("", attribute="", text="the code is 1"), True),
    ],
)
def test_what_can_take_each_others_place_shares_a_slot(one: Said, other: Said, same: bool) -> None:
    assert (slot_of(one) == slot_of(other)) is same


# --- contradictions ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (said("Lisbon"), said("Porto")),
        (said("Lisbon", valid_from=datetime(2026, 3, 14, tzinfo=UTC)), said("Porto")),
        (said("Lisbon", made_by="user", confidence=1.0), said("Porto", DAY / 24, confidence=0.6)),
        (said("Lisbon", made_by="user", confidence=1.0), said("Porto", 90 * DAY, confidence=0.6)),
        (said("Lisbon"), said("Porto", 90 * DAY, made_by="tool", confidence=0.6)),
        (said("Lisbon", confidence=0.6), said("Porto", 90 * DAY)),
        (said("Lisbon", confidence=0.6), said("Porto", 90 * DAY, confidence=0.6)),
    ],
    ids=[
        "at the same time",
        "on a day, and that day",
        "said by the user, then guessed",
        "said by the user, and guessed much later",
        "read, and guessed by a tool",
        "guessed, then read",
        "guessed twice",
    ],
)
def test_a_contradiction_is_shown_and_not_resolved(one: Said, other: Said) -> None:
    lisbon, porto = sorted(history_of([one, other]), key=lambda known: known.latest.value)

    assert lisbon.contradicts == [porto.memory_id]
    assert porto.contradicts == [lisbon.memory_id]
    assert lisbon.valid_to is porto.valid_to is None


def test_what_the_user_said_later_on_the_same_day_supersedes() -> None:
    lisbon, porto = history_of([said("Lisbon", made_by="user", confidence=1.0), said("Porto", DAY / 24)])

    assert (lisbon.superseded_by, porto.contradicts) == (porto.memory_id, [])


def test_what_was_guessed_and_then_plainly_said_may_be_superseded() -> None:
    lisbon, porto = history_of([said("Lisbon", confidence=0.6), said("Lisbon", DAY), said("Porto", 9 * DAY)])

    assert (lisbon.superseded_by, porto.contradicts) == (porto.memory_id, [])


def test_a_guess_does_not_settle_a_contradiction() -> None:
    history = history_of([said("Lisbon"), said("Porto"), said("Porto", DAY, confidence=0.6)])

    assert [bool(known.contradicts) for known in history] == [True, True]


def test_liking_and_disliking_the_same_is_a_contradiction_whenever_it_was_said() -> None:
    likes, dislikes = history_of(
        [said("tea", attribute="likes"), said("tea", 90 * DAY, statement_id="no", attribute="dislikes")]
    )

    assert (likes.contradicts, dislikes.contradicts) == (["no"], ["tea-0"])
    assert likes.valid_to is None


def test_a_later_word_settles_a_contradiction() -> None:
    lisbon, porto = history_of([said("Lisbon"), said("Porto"), said("Porto", DAY)])

    assert (lisbon.superseded_by, lisbon.contradicts) == (porto.memory_id, [])
    assert (porto.contradicts, len(porto.said)) == ([], 2)


# --- laws ---


STATEMENTS = st.lists(
    st.builds(
        lambda value, hours, maker, confidence, lasts: said(
            value,
            timedelta(hours=hours),
            made_by=maker,
            confidence=confidence,
            valid_to=None if lasts is None else NOON + timedelta(hours=hours + lasts),
        ),
        st.sampled_from(["Lisbon", "Porto", "Faro"]),
        st.integers(0, 60),
        st.sampled_from(["user", "tool", "reflector"]),
        st.sampled_from([0.5, 0.9, 1.0]),
        st.none() | st.integers(1, 40),
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda one: one.statement_id,
)


@given(STATEMENTS, st.randoms())
def test_any_order_of_arrival_makes_the_same_history(statements: list[Said], chance: Any) -> None:
    shuffled = list(statements)
    chance.shuffle(shuffled)

    assert history_of(shuffled) == history_of(statements)


@given(STATEMENTS)
def test_every_statement_is_evidence_of_one_memory_and_contradictions_are_mutual(
    statements: list[Said],
) -> None:
    history = {known.memory_id: known for known in history_of(statements)}

    ids = [one.statement_id for known in history.values() for one in known.said]
    assert sorted(ids) == sorted(one.statement_id for one in statements)
    for known in history.values():
        assert all(known.memory_id in history[other].contradicts for other in known.contradicts)
        assert known.valid_to is None or known.valid_to > known.said[0].valid_from or known.superseded_by
        assert known.superseded_by is None or known.superseded_by in history
