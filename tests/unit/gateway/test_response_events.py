"""The numbered events of a response: the same for the same turn, and never what is void."""

from typing import Any

from services.gateway.responses.events import ErrorEvent, ResponseEvent, ResponseEvents
from services.gateway.responses.objects import Echo, Head, Response
from shared.contract.events import (
    AnyLiveEvent,
    Cancelled,
    Failed,
    OutputDelta,
    OutputRestarted,
    Saved,
    Usage,
)

HEAD = Head(turn_id="t1", created_at=1, echo=Echo(model="pandora"), metadata={})
OF: dict[str, Any] = {"index": 9, "turn_id": "t1", "turn_number": 1, "session_id": "s1"}
USAGE = Usage(input_tokens=3, output_tokens=2)


def saved(output: str) -> Saved:
    return Saved(**OF, output=output, sources=[], usage=USAGE, model="m")


def made(*events: AnyLiveEvent, is_held: bool = False) -> list[ResponseEvent]:
    making = ResponseEvents(HEAD, is_held=is_held)
    all_of_them = [*making.begin(), *(one for event in events for one in making.take(event))]
    assert [event.sequence_number for event in all_of_them] == list(range(len(all_of_them)))
    return all_of_them


def said(events: list[ResponseEvent]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def last(events: list[ResponseEvent]) -> Response:
    event = events[-1]
    assert not isinstance(event, ErrorEvent)
    response = getattr(event, "response")  # noqa: B009 - the last one has it
    assert isinstance(response, Response)
    return response


def test_an_answer_that_begins_again_with_the_same_words_is_not_said_twice() -> None:
    events = made(
        OutputDelta(index=0, text="Good "),
        OutputRestarted(index=1),
        OutputDelta(index=2, text="Good day"),
        saved("Good day"),
    )

    assert said(events) == "Good day"
    assert events[-1].type == "response.completed"


def test_another_answer_ends_the_events_with_an_error_unless_it_is_held_back() -> None:
    turn = (OutputDelta(index=0, text="Good "), OutputRestarted(index=1), saved("Bad day"))

    broken, held = made(*turn), made(*turn, is_held=True)

    assert isinstance(broken[-1], ErrorEvent)
    assert broken[-1].code == "answer_revised"
    assert said(held) == "Bad day"


def test_what_was_said_before_a_stop_is_an_incomplete_message() -> None:
    events = made(OutputDelta(index=0, text="Good "), Cancelled(**OF, output="Good "))

    assert events[-1].type == "response.incomplete"
    assert last(events).status == "cancelled"
    assert last(events).output[0].status == "incomplete"
    assert last(events).output[0].content[0].text == "Good "


def test_a_failure_says_why_and_nothing_follows() -> None:
    events = made(Failed(**OF, reason="refused", detail="It broke."), saved("Good day"))

    assert events[-1].type == "response.failed"
    error = last(events).error
    assert error is not None
    assert (error.code, error.message) == ("invalid_prompt", "It broke.")


def test_an_empty_answer_is_an_empty_message() -> None:
    events = made(saved(""))

    assert last(events).output[0].content[0].text == ""
    assert [event.type for event in events].count("response.output_item.added") == 1
