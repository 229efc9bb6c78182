"""The facts of a turn have one shape: a new one reaches every message, or is left out on purpose."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.turns import intake, views
from services.gateway.turns.views import NewTurn, TurnView, view_of_record
from services.orchestrator.turn import endings
from services.orchestrator.turn.endings import outcome_of, record_of, row_of
from services.orchestrator.turn.labels import labels_of
from shared.contract.events import TurnCancelled, TurnRequested, TurnSaved
from shared.contract.requests import TurnRecord, TurnRow
from tests.contracts.messages.strategies import messages
from tests.unit.samples import AT, turn

Struct = type[msgspec.Struct]
_TOLD_OF_ITS_END = {"status", "ended_at", "error", "why_cancelled"}
"""Other fields say so in these messages: `saved_at`, `why` ..."""
LEFT_OUT: dict[Struct, set[str]] = {
    TurnSaved: {*_TOLD_OF_ITS_END, "recipe_version", "notes", "steering", "attempt"},
    TurnCancelled: {
        *_TOLD_OF_ITS_END,
        *(
            "recipe_version",
            "notes",
            "steering",
            "attempt",
            "turn_dir",
            "phases",
            "sources",
            "timings",
        ),
        *("topic", "intent", "keywords", "quality", "quoted", "metadata", "last_index"),
    },
    TurnRow: {
        *(
            "user",
            "requested_at",
            "ended_at",
            "turn_dir",
            "recipe_version",
            "phases",
            "notes",
            "sources",
            "usage",
        ),
        *("timings", "error", "why_cancelled", "steering", "attempt", "metadata", "last_index"),
    },
    TurnView: {"turn_id", "user", "turn_dir", "quoted", "last_index"},
}
"""What a message about an ended turn does not say of it, or says by another name."""
NEW_NAMES: dict[Struct, set[str]] = {
    TurnSaved: {"saved_at"},
    TurnCancelled: {"cancelled_at", "why"},
    TurnRow: {"at", "abandoned"},
    TurnView: {"id", "links", "position", "estimate_seconds"},
}
"""What such a message has that the turn's record has not."""


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_a_message_has_every_fact_of_a_turn_or_leaves_it_out_on_purpose(kind: Struct) -> None:
    facts = set(TurnRecord.__struct_fields__)

    # TurnRow's status is another one: two of the record's six.
    assert facts - set(kind.__struct_fields__) == LEFT_OUT[kind]
    assert set(kind.__struct_fields__) - facts == NEW_NAMES[kind]


def test_what_is_asked_of_a_turn_stands_in_its_record() -> None:
    asked = set(TurnRequested.__struct_fields__)

    assert asked - set(TurnRecord.__struct_fields__) == {"if_busy", "tools"}
    assert set(NewTurn.__struct_fields__) - asked == {"on_disconnect"}


@settings(max_examples=25, deadline=None)
@given(record=messages(TurnRecord), status=st.sampled_from(["saved", "cancelled"]))
def test_every_message_says_what_the_record_says(record: TurnRecord, status: Any) -> None:
    record = msgspec.structs.replace(record, status=status)

    for derived in (outcome_of(record), row_of(record), view_of_record(record)):
        for name in set(derived.__struct_fields__) & set(TurnRecord.__struct_fields__):
            told, known = getattr(derived, name), getattr(record, name)
            assert told == known or not (told or known), name  # A view says null where a text is empty.


def test_a_new_field_of_a_turn_needs_no_function(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in {
        endings: ("TurnRecord", "TurnSaved", "TurnCancelled", "TurnRow"),
        intake: ("TurnRequested",),
        views: ("TurnView",),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, with_a_mood(getattr(module, name)))
    new = with_a_mood(NewTurn)(input="Hello!", mood="glad")

    asked = intake._requested(new, [], "alice", "t1", "kitchen")
    running = turn("Hello!", request=asked)
    record = record_of(running, labels_of(running), "saved", AT, last_index=9)
    stopped = msgspec.structs.replace(record, status="cancelled")

    told: list[Any] = [outcome_of(record), outcome_of(stopped), row_of(record), view_of_record(record)]
    assert [one.mood for one in told] == ["glad"] * 4


def with_a_mood(kind: Any) -> Any:
    """The same struct with one more field."""
    return msgspec.defstruct(
        kind.__name__, [("mood", str, "")], bases=(kind,), frozen=True, kw_only=True, module=kind.__module__
    )
