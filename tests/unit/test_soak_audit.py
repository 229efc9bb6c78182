"""The soak's rules: a whole run passes, and each thing that may never be is found."""

from typing import Any

import pytest

from tests.soak.audit import DOCUMENTS, audit
from tests.soak.bus_client import joined, key_of
from tests.soak.kills import MOST_IN_WINDOW, WINDOW_SECONDS, may_kill
from tests.soak.ledger import Asked, is_bug, see_event
from tests.soak.plan import Options, draw_turns
from tests.soak.stores import Folder, MessageRow, Outcome, Row, Stores


def told(*pieces: str, end: str = "turn.saved") -> list[dict[str, Any]]:
    events = [
        {"type": "turn.queued"},
        *({"type": "output.delta", "text": piece} for piece in pieces),
        {"type": end},
    ]
    return [{**event, "index": index} for index, event in enumerate(events)]


def asked_for(turn_id: str, events: list[dict[str, Any]]) -> Asked:
    asked = Asked(number=1, way="http", user="alice", session_id="s")
    asked.tell(turn_id, 1)
    asked.accept()
    for event in events:
        see_event(asked, event)
    return asked


def folder_of(turn_id: str, events: list[dict[str, Any]], number: int = 1, **record: Any) -> Folder:
    return Folder(
        name=f"turn_{number:06d}",
        documents=list(DOCUMENTS),
        record={
            "turn_id": turn_id,
            "turn_number": number,
            "user": "alice",
            "session_id": "s",
            "status": "saved",
            "output": "one two",
            "last_index": len(events) - 1,
            "ended_at": "2026-01-01T00:00:02Z",
            **record,
        },
        phases=[{"phase": "gather", "started_at": "2026-01-01T00:00:01Z"}],
        events=events,
    )


@pytest.fixture
def asked() -> list[Asked]:
    return [asked_for("t", told("one", " two"))]


@pytest.fixture
def stores() -> Stores:
    return Stores(
        outcomes=[Outcome("turn.saved", "t", 1)],
        indexed=["t"],
        folders=[folder_of("t", told("one", " two"))],
        pointers={"t": "turn_000001"},
        rows=[Row("t", 1)],
        messages=[MessageRow("t", "user", "t1"), MessageRow("t", "assistant", "t2")],
        points={"t1": "t", "t2": "t"},
        leases=[("t", "free")],
    )


def found(asked: list[Asked], stores: Stores) -> dict[str, int]:
    return {kind: len(findings) for kind, findings in audit(asked, stores).items() if findings}


def test_a_whole_run_passes(asked: list[Asked], stores: Stores) -> None:
    assert found(asked, stores) == {}


def test_a_turn_without_an_end_is_lost(asked: list[Asked], stores: Stores) -> None:
    stores.outcomes, stores.folders, stores.pointers = [], [], {}

    assert found(asked, stores) == {"lost": 2}


def test_two_of_anything_are_found(asked: list[Asked], stores: Stores) -> None:
    stores.outcomes *= 2
    stores.rows *= 2
    stores.messages.append(MessageRow("t", "user", "t1"))
    asked[0].tell("t", 2)

    assert found(asked, stores) == {"duplicated": 4}


def test_another_end_than_the_folder_tells_is_a_second_end(asked: list[Asked], stores: Stores) -> None:
    stores.outcomes = [Outcome("turn.cancelled", "t", 1)]

    assert found(asked, stores) == {"duplicated": 1}


@pytest.mark.parametrize(
    "events",
    [
        [event for event in told("one", " two") if event["index"] != 1],
        told("one", " two")[:-1],
        told("one", " three"),
        [*told("one", " two"), {"type": "output.delta", "text": "more", "index": 4}],
    ],
    ids=["a gap", "no end", "another answer", "more behind the end"],
)
def test_a_reader_who_was_told_something_else_is_found(stores: Stores, events: list[dict[str, Any]]) -> None:
    assert "gaps in streams" in found([asked_for("t", events)], stores)


def test_what_was_said_before_a_restart_does_not_count(stores: Stores) -> None:
    begun = told("lost", "half", end="output.restarted")
    again = [{**event, "index": event["index"] + len(begun)} for event in told("one", " two")]
    stores.folders = [folder_of("t", [*begun, *again])]
    begun[1] = {**begun[1], "text": ""}

    assert found([asked_for("t", [*begun, *again])], stores) == {}


def test_whatever_belongs_to_nobody_or_was_left_behind_is_an_orphan(
    asked: list[Asked], stores: Stores
) -> None:
    stores.rows.append(Row("stranger", 2))
    stores.points["t3"] = "t"
    stores.queued = ["t"]
    stores.leases.append(("t", "held"))
    stores.dead = ["dead.indexer-turn-saved"]
    stores.folders[0].documents.remove("response.md")

    assert found(asked, stores) == {"orphans": 6}


def test_what_memory_does_not_know_of_a_saved_turn_is_found(asked: list[Asked], stores: Stores) -> None:
    del stores.points["t2"]
    assert found(asked, stores) == {"not indexed": 1}

    stores.messages, stores.points = [], {}
    assert found(asked, stores) == {"not indexed": 1}


def test_a_quoted_answer_is_no_message(asked: list[Asked], stores: Stores) -> None:
    del stores.messages[1], stores.points["t2"]

    assert found(asked, stores) == {}


def test_a_cancel_says_what_became_of_the_turn(asked: list[Asked], stores: Stores) -> None:
    asked[0].cancelled = True

    assert found(asked, stores) == {"cancels broken": 1}


def test_two_turns_of_a_session_at_once_are_found(asked: list[Asked], stores: Stores) -> None:
    asked.append(asked_for("u", told("one", " two")))
    stores.folders.append(folder_of("u", told("one", " two"), number=2))
    stores.outcomes.append(Outcome("turn.saved", "u", 2))
    stores.rows.append(Row("u", 2))
    stores.messages.append(MessageRow("u", "user", "u1"))
    stores.points["u1"] = "u"
    stores.indexed.append("u")

    assert found(asked, stores) == {"session order broken": 1}


def test_what_an_earlier_attempt_says_behind_a_later_one_is_void() -> None:
    events = [
        {"index": 0, "type": "turn.queued"},
        {"index": 1, "type": "output.delta", "text": "void"},
        {"index": 1, "type": "output.restarted", "attempt": 2},
        {"index": 2, "type": "output.delta", "text": "void as well"},
    ]

    assert joined({key_of(event): event for event in events}) == [events[0], events[2]]


def test_errors_that_a_kill_does_not_explain_are_bugs() -> None:
    assert [kind for kind in ("GET: 503", "GET: 404", "GET: 500", "GET: ClientOSError") if is_bug(kind)] == [
        "GET: 404",
        "GET: 500",
    ]
    assert is_bug("nats client: !KeyError 'seq'")


def test_a_seed_repeats_every_choice() -> None:
    options = Options(turns=50, kills=5, seed=7)

    assert draw_turns(options) == draw_turns(options)
    assert draw_turns(options) != draw_turns(Options(turns=50, kills=5, seed=8))
    assert options.kill_pauses() == options.kill_pauses()
    assert sum(options.kill_pauses()) < options.load_seconds


def test_no_part_is_killed_so_often_that_the_launcher_gives_up() -> None:
    times = [(float(second), "nats") for second in range(MOST_IN_WINDOW)]

    assert not may_kill("nats", times, WINDOW_SECONDS - 1)
    assert may_kill("postgres", times, WINDOW_SECONDS - 1)
    assert may_kill("nats", times, WINDOW_SECONDS + 1)
