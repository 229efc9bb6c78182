"""What the live events of a turn say about it."""

from typing import Any, Literal

import pytest

from services.gateway.turns.live_views import status_of, view_of_events, view_of_unended
from services.gateway.turns.views import Links, view_of_record
from shared.contract.events import (
    AnyLiveEvent,
    Cancelled,
    Failed,
    OutputDelta,
    OutputRestarted,
    PhaseStarted,
    Queued,
    Saved,
    Source,
    SourcesFound,
    Usage,
)
from shared.contract.requests import TurnStatus, UnendedTurn
from tests.unit.samples import AT, record

QUEUED = Queued(index=0, turn_id="t42", turn_number=42, session_id="kitchen", user="alice")
SOURCE = Source(turn_id="t7", turn_number=7, score=0.75, quote="Mira lives in Lisbon.")
STARTED = PhaseStarted(index=1, phase="gather")
SAVED = Saved(
    index=9,
    turn_id="t42",
    turn_number=42,
    session_id="kitchen",
    output="In Lisbon.",
    sources=[SOURCE],
    usage=Usage(output_tokens=3),
    model="extractive",
)
FAILED = Failed(index=9, turn_id="t42", turn_number=42, session_id="kitchen", reason="timeout", detail="late")
CANCELLED = Cancelled(index=9, turn_id="t42", turn_number=42, session_id="kitchen")


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([QUEUED], "queued"),
        (
            [QUEUED, Queued(index=1, turn_id="t42", turn_number=42, session_id="kitchen", user="alice")],
            "queued",
        ),
        ([QUEUED, STARTED], "running"),
        ([QUEUED, STARTED, SAVED], "saved"),
        ([QUEUED, FAILED], "failed"),
        ([QUEUED, STARTED, CANCELLED], "cancelled"),
    ],
)
def test_the_last_event_says_how_a_turn_stands(events: list[AnyLiveEvent], status: TurnStatus) -> None:
    assert status_of(events) == status


def test_a_running_turn_shows_what_was_said_so_far() -> None:
    events: list[AnyLiveEvent] = [
        QUEUED,
        STARTED,
        SourcesFound(index=2, sources=[SOURCE]),
        OutputDelta(index=3, text="In "),
        OutputDelta(index=4, text="Lisbon."),
    ]

    view = view_of_unended(unended("running"), events)

    assert (view.id, view.turn_number, view.session_id) == ("t42", 42, "kitchen")
    assert (view.status, view.input, view.output) == ("running", "Where does Mira live?", "In Lisbon.")
    assert view.sources == [SOURCE]
    assert view.links == Links("/v1/turns/t42", "/v1/turns/t42/events", "/v1/turns/t42/documents")
    assert view.ended_at is None


def test_what_was_said_before_a_turn_began_anew_is_void() -> None:
    view = view_of_events(
        [
            QUEUED,
            OutputDelta(index=1, text="In Rome"),
            OutputRestarted(index=2),
            OutputDelta(index=3, text="In Lisbon."),
        ]
    )

    assert view.output == "In Lisbon."


def test_a_turn_whose_beginning_is_unknown_is_not_shown() -> None:
    """Only turn.queued names the owner."""
    with pytest.raises(ValueError, match=r"turn\.queued"):
        view_of_events([STARTED, SAVED])


def test_a_turn_that_has_ended_shows_its_record() -> None:
    told = record(
        topic="mira", keywords=["mira"], quality=0.5, metadata={"a": "b"}, sources=[SOURCE], model=""
    )

    view = view_of_record(told)

    assert (view.id, view.status, view.output, view.topic) == ("t42", "saved", "Hello to you.", "mira")
    assert (view.sources, view.keywords, view.metadata) == ([SOURCE], ["mira"], {"a": "b"})
    assert view.model is None, "no model answered"


def test_a_waiting_turn_shows_its_place_also_when_none_of_its_events_is_left() -> None:
    waiting = unended("queued", position=3, estimate_seconds=12.5)

    view = view_of_unended(waiting, [])

    assert (view.status, view.position, view.estimate_seconds) == ("queued", 3, 12.5)
    assert (view.input, view.output) == ("Where does Mira live?", "")


def test_a_running_turn_has_no_place_in_the_queue() -> None:
    view = view_of_unended(unended("running"), [QUEUED, STARTED, OutputDelta(index=2, text="In ")])

    assert (view.status, view.output, view.position, view.estimate_seconds) == ("running", "In ", None, None)


def unended(status: Literal["queued", "running"], **more: Any) -> UnendedTurn:
    return UnendedTurn(
        turn_id="t42",
        turn_number=42,
        session_id="kitchen",
        user="alice",
        status=status,
        input="Where does Mira live?",
        requested_at=AT,
        **more,
    )
