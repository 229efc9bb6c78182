"""How a method is declared as an endpoint."""

import pytest

from shared.bus.endpoints import Send, endpoint, endpoint_of, endpoints_of
from shared.contract.requests import (
    Check,
    CheckReply,
    Count,
    CountReply,
    Generate,
    GetTurn,
    StillChecking,
    TurnRecord,
)


class Counts:
    """Answers two kinds of requests."""

    @endpoint
    async def count(self, request: Count) -> CountReply:
        """The newest row counts as well."""
        return CountReply(rows=1, points=2, highest_turn_number=3)

    @endpoint
    async def check(self, request: Check, send: Send[StillChecking]) -> CheckReply:
        return CheckReply(kinds=[], turns_without_messages=0, mended=False)

    async def on_something(self, event: Count) -> None:
        """No endpoint."""


def test_the_annotations_of_a_method_say_what_it_answers() -> None:
    check, count = endpoints_of(Counts())

    assert (count.request, count.reply, count.takes_send) == (Count, CountReply, False)
    assert (check.request, check.reply, check.takes_send) == (Check, CheckReply, True)
    assert count.subject == "index.count"


async def test_an_endpoint_of_an_object_answers() -> None:
    _, count = endpoints_of(Counts())

    assert await count.answer(Count()) == CountReply(rows=1, points=2, highest_turn_number=3)


def test_a_class_tells_what_its_objects_will_answer() -> None:
    of_class, of_object = endpoints_of(Counts), endpoints_of(Counts())

    assert [(one.request, one.takes_send) for one in of_class] == [
        (one.request, one.takes_send) for one in of_object
    ]


def test_an_endpoint_is_described_by_its_request_and_its_method() -> None:
    _, count = endpoints_of(Counts())

    assert count.description.startswith(str(Count.__doc__).strip().splitlines()[0])
    assert count.description.endswith("The newest row counts as well.")


def test_an_endpoint_can_listen_on_another_subject() -> None:
    async def answer(request: GetTurn) -> TurnRecord:
        raise AssertionError("not reached")

    assert endpoint_of(answer, at="turns.get.here").subject == "turns.get.here"


def test_a_method_that_does_not_say_what_it_answers_is_no_endpoint() -> None:
    async def without_a_request() -> CountReply:
        raise AssertionError("not reached")

    async def of_an_event(event: CountReply) -> CountReply:
        raise AssertionError("not reached")

    async def with_another_parameter(request: Generate, extra: str) -> CountReply:
        raise AssertionError("not reached")

    async def without_signs_of_life(request: Count, send: Send[StillChecking]) -> CountReply:
        raise AssertionError("not reached")

    with pytest.raises(TypeError, match="without_a_request: annotate its first parameter"):
        endpoint(without_a_request)
    with pytest.raises(TypeError, match="of_an_event: annotate its first parameter"):
        endpoint(of_an_event)
    with pytest.raises(TypeError, match=r"its second parameter is Send\[StillGenerating\]"):
        endpoint(with_another_parameter)
    with pytest.raises(TypeError, match="Count has no signs of life; remove the second parameter"):
        endpoint(without_signs_of_life)
