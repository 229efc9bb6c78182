"""Memories out of statements: what confirms, what supersedes, what contradicts, and how sure it stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.domain.decay import HALF_LIVES, faded
from services.indexer.domain.memories import Known, Said, history_of, slot_of
from services.indexer.domain.statements import (
    changed,
    cursor_of,
    hit_of,
    memory_of,
    read_cursor,
    row_of,
    said_of,
)
from shared.errors import Refused
from shared.memories import MEMORY_KINDS, Statement
from shared.replies import MemoryChange

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def said(value: str, after: timedelta = timedelta(0), **more: Any) -> Said:
    fields: dict[str, Any] = {
        "statement_id": f"{value}-{after / DAY:g}",
        "kind": "fact",
        "subject": "user",
        "attribute": "home",
        "text": f"I live in {value}.",
        "confidence": 0.9,
        "made_by": "reflector",
        "said_at": NOON + after,
        "valid_from": NOON + after,
        **more,
    }
    return Said(user="alice", value=value, **fields)


def story(history: list[Known]) -> list[tuple[str, int, datetime | None]]:
    """Value, statements and end of each."""
    return [(known.latest.value, len(known.said), known.valid_to) for known in history]


# --- superseding and confirming ----------------------------------------------------------------------------


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
        (said("tea", attribute="likes"), said("tea", attribute="dislikes"), True),
        (said("tea", attribute="likes"), said("coffee", attribute="dislikes"), False),
        (said("", attribute="", text="The code is 1."), said("", attribute="", text="The code is 2."), False),
        (said("", attribute="", text="The code is 1."), said("", attribute="", text="the code is 1"), True),
    ],
)
def test_what_can_take_each_others_place_shares_a_slot(one: Said, other: Said, same: bool) -> None:
    assert (slot_of(one) == slot_of(other)) is same


# --- contradictions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (said("Lisbon"), said("Porto")),
        (said("Lisbon", valid_from=datetime(2026, 3, 14, tzinfo=UTC)), said("Porto")),
        (said("Lisbon", made_by="user", confidence=1.0), said("Porto", DAY / 24, confidence=0.6)),
    ],
    ids=["at the same time", "on a day, and that day", "said by the user, then guessed"],
)
def test_a_contradiction_is_shown_and_not_resolved(one: Said, other: Said) -> None:
    lisbon, porto = sorted(history_of([one, other]), key=lambda known: known.latest.value)

    assert lisbon.contradicts == [porto.memory_id]
    assert porto.contradicts == [lisbon.memory_id]
    assert lisbon.valid_to is porto.valid_to is None


def test_what_the_user_said_later_on_the_same_day_supersedes() -> None:
    lisbon, porto = history_of([said("Lisbon", made_by="user", confidence=1.0), said("Porto", DAY / 24)])

    assert (lisbon.superseded_by, porto.contradicts) == (porto.memory_id, [])


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


# --- laws --------------------------------------------------------------------------------------------------

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


# --- fading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MEMORY_KINDS)
def test_confidence_halves_in_the_half_life_of_its_kind(kind: Any) -> None:
    later = NOON + HALF_LIVES[kind]

    assert faded(0.8, kind, confirmed_at=NOON, used_at=None, now=later) == pytest.approx(0.4)
    assert faded(0.8, kind, confirmed_at=NOON, used_at=later, now=later) == pytest.approx(0.8)
    assert faded(0.8, kind, confirmed_at=later, used_at=NOON, now=later) == pytest.approx(0.8)


def test_a_clock_that_is_behind_makes_nothing_surer() -> None:
    assert faded(0.8, "note", confirmed_at=NOON, used_at=None, now=NOON - DAY) == 0.8


# --- statements as they come in ----------------------------------------------------------------------------


def test_a_bare_text_is_read_where_it_is_plain() -> None:
    one = said_of("m1", "alice", Statement(text="I moved to Porto"), NOON)

    assert (one.kind, one.attribute, one.value, one.subject) == ("fact", "home", "Porto", "user")
    assert (one.said_at, one.valid_from) == (NOON, NOON)


def test_any_other_text_is_a_note() -> None:
    one = said_of("m1", "alice", Statement(text="The spare key is under the pot"), NOON)

    assert (one.kind, one.attribute, one.value) == ("note", "", "")


def test_who_says_the_kind_says_it_all() -> None:
    one = said_of("m1", "alice", Statement(text="I moved to Porto", kind="note"), NOON)

    assert (one.kind, one.attribute) == ("note", "")


@pytest.mark.parametrize(
    ("given_as", "plain"),
    [("Lives in", "home"), ("favorite_colour", "favourite colour"), ("Job title", "occupation"), (" ", "")],
)
def test_an_attribute_has_one_name(given_as: str, plain: str) -> None:
    assert (
        said_of("m", "alice", Statement(text="x", kind="fact", attribute=given_as), NOON).attribute == plain
    )


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        (Statement(text=" \t"), "text"),
        (Statement(text="x", valid_from=NOON, valid_to=NOON), "valid_to"),
        (Statement(text="x", valid_from=datetime(1, 1, 1, tzinfo=UTC)), "valid_from"),
    ],
)
def test_what_cannot_be_a_memory_is_refused_by_the_field(statement: Statement, field: str) -> None:
    with pytest.raises(Refused) as refused:
        said_of("m", "alice", statement, NOON)

    assert (refused.value.status, refused.value.field) == (422, field)


# --- corrections -------------------------------------------------------------------------------------------


def known_lisbon() -> Known:
    return history_of([said("Lisbon"), said("Lisbon", DAY)])[0]


def test_a_correction_changes_what_is_known_and_keeps_what_was_said() -> None:
    before = known_lisbon()
    (after,) = history_of(changed(before, MemoryChange(text="I live in Loures.", value="Loures")))

    assert (after.latest.text, after.latest.value, after.made_by) == ("I live in Loures.", "Loures", "user")
    assert [one.quote for one in after.evidence] == [one.quote for one in before.evidence]


def test_a_given_confidence_is_the_confidence() -> None:
    (after,) = history_of(changed(known_lisbon(), MemoryChange(confidence=0.3)))

    assert after.confidence == pytest.approx(0.3)


def test_a_memory_may_end_and_hold_again() -> None:
    (ended,) = history_of(changed(known_lisbon(), MemoryChange(valid_to=NOON + 2 * DAY)))
    (again,) = history_of(changed(ended, MemoryChange(valid_to=None)))

    assert (ended.valid_to, again.valid_to) == (NOON + 2 * DAY, None)


def test_what_was_superseded_does_not_hold_again() -> None:
    lisbon, _ = history_of([said("Lisbon"), said("Porto", DAY)])

    with pytest.raises(Refused, match="Porto-1"):
        changed(lisbon, MemoryChange(valid_to=None))


# --- views -------------------------------------------------------------------------------------------------


def test_a_memory_tells_its_state() -> None:
    lisbon, porto = [row_of(known) for known in history_of([said("Lisbon"), said("Porto", DAY)])]
    (rented,) = [row_of(known) for known in history_of([said("Lisbon", valid_to=NOON + DAY)])]
    (one, _) = [row_of(known) for known in history_of([said("Lisbon"), said("Porto")])]

    assert memory_of(lisbon, NOON).status == "current"
    assert memory_of(lisbon, NOON + DAY).status == "superseded"
    assert memory_of(porto, NOON).status == "coming"
    assert memory_of(rented, NOON + DAY).status == "ended"
    assert memory_of(one, NOON).status == "disputed"
    assert memory_of(lisbon, NOON).confidence == lisbon.confidence


def test_a_hit_stands_on_the_messages_of_its_evidence_the_latest_first() -> None:
    statements = [
        said("Lisbon", message_ids=["t1:user"]),
        said("Lisbon", DAY, message_ids=["t2:user", "t1:user"]),
    ]
    (row,) = [row_of(known) for known in history_of(statements)]

    assert hit_of(row).message_ids == ["t2:user", "t1:user"]


def test_a_cursor_is_read_back_and_another_text_is_refused() -> None:
    row = row_of(known_lisbon())

    assert read_cursor(cursor_of(row)) == (row.valid_from, row.memory_id)
    for wrong in ("", "x", "2026-01-01/", "2026-01-01T00:00:00/x", "/x"):
        with pytest.raises(Refused):
            read_cursor(wrong)


def test_nothing_is_changed_by_no_change() -> None:
    before = known_lisbon()

    assert changed(before, MemoryChange()) == before.said
    assert msgspec.json.decode(b"{}", type=MemoryChange) == MemoryChange()
