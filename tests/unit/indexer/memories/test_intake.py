"""Statements as they come in, corrections, how sure a memory stays, and how it is shown."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.indexer.memories.decay import HALF_LIVES, faded
from services.indexer.memories.history import Known, history_of
from services.indexer.memories.intake import changed, said_of
from services.indexer.memories.memory import cursor_of, hit_of, memory_of, read_cursor, row_of
from shared.contract.errors import Refused
from shared.contract.memories import MEMORY_KINDS, Statement
from shared.contract.requests import MemoryChange
from tests.unit.indexer.memories.memories_room import DAY, NOON, said


def known_lisbon() -> Known:
    return history_of([said("Lisbon"), said("Lisbon", DAY)])[0]


# --- statements as they come in ---


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


# --- corrections ---


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


# --- fading ---


@pytest.mark.parametrize("kind", MEMORY_KINDS)
def test_confidence_halves_in_the_half_life_of_its_kind(kind: Any) -> None:
    later = NOON + HALF_LIVES[kind]

    assert faded(0.8, kind, confirmed_at=NOON, used_at=None, now=later) == pytest.approx(0.4)
    assert faded(0.8, kind, confirmed_at=NOON, used_at=later, now=later) == pytest.approx(0.8)
    assert faded(0.8, kind, confirmed_at=later, used_at=NOON, now=later) == pytest.approx(0.8)


def test_a_clock_that_is_behind_makes_nothing_surer() -> None:
    assert faded(0.8, "note", confirmed_at=NOON, used_at=None, now=NOON - DAY) == 0.8


# --- views ---


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
