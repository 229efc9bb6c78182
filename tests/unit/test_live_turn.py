"""What the live events of a turn say about it, and what a saved turn would have said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.live_turn import events_of_record, status_of, view_of_events
from services.gateway.domain.views import Links, view_of_record
from shared.events import (
    LAST_EVENTS,
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
from shared.replies import TurnStatus
from tests.unit.samples import record

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

    view = view_of_events(events, "Where does Mira live?")

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
        ],
        "",
    )

    assert view.output == "In Lisbon."


def test_a_turn_whose_beginning_is_unknown_is_not_shown() -> None:
    """Only the first event names the owner."""
    with pytest.raises(ValueError, match=r"turn\.queued"):
        view_of_events([STARTED, SAVED], "")


def test_a_turn_that_has_ended_shows_its_record() -> None:
    told = record(
        topic="mira", keywords=["mira"], quality=0.5, metadata={"a": "b"}, sources=[SOURCE], model=""
    )

    view = view_of_record(told)

    assert (view.id, view.status, view.output, view.topic) == ("t42", "saved", "Hello to you.", "mira")
    assert (view.sources, view.keywords, view.metadata) == ([SOURCE], ["mira"], {"a": "b"})
    assert view.model is None, "no model answered"


def test_a_reader_who_comes_late_hears_the_same_story_in_fewer_events() -> None:
    told = record(sources=[SOURCE], output="In Lisbon.", usage=Usage(output_tokens=3), last_index=9)

    assert events_of_record(told) == [
        QUEUED,
        SourcesFound(index=7, sources=[SOURCE]),
        OutputDelta(index=8, text="In Lisbon."),
        SAVED,
    ]


def test_a_reader_who_comes_late_to_a_failed_turn_hears_why() -> None:
    told = record(status="failed", output="", error="timeout: late", last_index=9)

    assert events_of_record(told)[-1] == FAILED


def test_a_reader_who_comes_late_to_a_cancelled_turn_hears_that() -> None:
    assert events_of_record(record(status="cancelled", last_index=9))[-1] == CANCELLED


@given(
    st.integers(0, 200),
    st.sampled_from(["saved", "failed", "cancelled"]),
    st.none() | st.text(max_size=30),
    st.text(max_size=30),
)
def test_every_late_story_rises_tells_the_output_and_has_one_end(
    last_index: int, status: TurnStatus, error: str | None, output: str
) -> None:
    events = events_of_record(record(status=status, error=error, output=output, last_index=last_index))

    indexes = [event.index for event in events]
    assert indexes[0] == 0
    assert indexes == sorted(set(indexes))
    assert indexes[-1] == max(3, last_index)
    assert "".join(event.text for event in events if isinstance(event, OutputDelta)) == output
    assert [isinstance(event, LAST_EVENTS) for event in events] == [False] * (len(events) - 1) + [True]
    assert status_of(events) == status
