"""Calls of a client's tools: what a client is told of them, and how its results are known again."""

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.client_tools import CallsWaiting, answered_in
from shared.contract.errors import Refused
from shared.contract.events import ToolEnded, ToolWaiting
from shared.contract.requests import ToolCall

TURN = str(uuid4())


def waiting(index: int, key: str, left: int = 0, **more: Any) -> ToolWaiting:
    fields = {"for_client": True, "call": key[2:], "tool": "find", "arguments": {"who": "Mira"}, **more}
    return ToolWaiting(index=index, key=key, left=left, seconds=60.0, **fields)


def chat(*messages: dict[str, Any]) -> ChatRequest:
    ask = {"role": "user", "content": "Where is Mira?"}
    return msgspec.convert({"model": "pandora-calling", "messages": [ask, *messages]}, ChatRequest)


def said(*calls: ToolCall) -> dict[str, Any]:
    function = {"name": "find", "arguments": "{}"}
    made = [{"id": call.id, "type": "function", "function": function} for call in calls]
    return {"role": "assistant", "tool_calls": made}


def result(call_id: str, text: str = "In Lisbon") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def test_calls_come_together_and_their_results_are_known_again() -> None:
    calls = CallsWaiting(TURN, ())

    assert calls.take(waiting(5, "1.a", left=1)) == []
    both = calls.take(waiting(7, "1.b c_d"))

    assert [json.loads(call.arguments) for call in both] == [{"who": "Mira"}] * 2
    answered = answered_in(chat(said(*both), *(result(call.id, call.id[-1]) for call in both)))
    assert answered is not None
    assert (answered.turn_id, answered.after) == (TURN, 7)
    assert answered.results == {"1.a": "a", "1.b c_d": "d"}


def test_calls_that_are_told_again_after_a_takeover_are_the_same_calls() -> None:
    calls = CallsWaiting(TURN, ())

    calls.take(waiting(5, "1.a", left=1))
    calls.take(waiting(8, "1.a", left=1))

    assert [call.id[-3:] for call in calls.take(waiting(10, "1.b"))] == ["1.a", "1.b"]


def test_what_is_answered_or_for_a_person_is_no_call_of_the_client() -> None:
    calls = CallsWaiting(TURN, {"1.a"})

    assert calls.take(waiting(5, "1.a")) == []
    assert calls.take(waiting(6, "1.b", for_client=False)) == []
    assert calls.take(ToolEnded(index=7, call="a", tool="find", seconds=0.1, ok=True)) == []
    assert len(calls.take(waiting(9, "2.a"))) == 1


def test_a_chat_that_ends_with_words_has_no_results() -> None:
    assert answered_in(chat()) is None
    assert answered_in(chat(result("call_1"), {"role": "user", "content": "Well?"})) is None


@pytest.mark.parametrize(
    ("call_ids", "why"),
    [
        ([None], "no turn has asked for"),
        (["call_1"], "no turn has asked for"),
        ([f"call_{TURN}_x_1.a"], "no turn has asked for"),
        ([f"call_{TURN}_{'9' * 30}_1.a"], "no turn has asked for"),
        ([f"call_{TURN}_3_1.a", f"call_{uuid4()}_3_1.a"], "of several turns"),
    ],
)
def test_results_of_no_turn_are_refused(call_ids: list[Any], why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        answered_in(chat(*(result(call_id) for call_id in call_ids)))

    assert (refused.value.status, refused.value.field) == (422, "messages")


def test_each_call_needs_its_result() -> None:
    calls = CallsWaiting(TURN, ())
    calls.take(waiting(5, "1.a", left=1))
    both = calls.take(waiting(7, "1.b"))

    with pytest.raises(Refused, match=f"no result of the call call_{TURN}_7_1.b"):
        answered_in(chat(said(*both), result(both[0].id)))
