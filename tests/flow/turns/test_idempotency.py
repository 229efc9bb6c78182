"""Turns that are asked for twice, over HTTP, through every real part."""

import asyncio

import pytest

from tests.flow.turns.http_turns import key, post, request, second_gateway
from tests.stack import Stack


async def test_the_same_key_and_body_is_the_same_turn(stack: Stack) -> None:
    body, one = {"input": "The barn is red.", "metadata": {"a": "1", "b": "2"}}, key()

    first = await post(stack, body, one)
    again = await post(stack, {"metadata": {"b": "2", "a": "1"}, "input": "The barn is red."}, one)
    await stack.until_indexed(first[1]["id"])
    later = await post(stack, body, one)
    other = await post(stack, body, key())

    assert first[0] == 202
    assert first == again == later
    assert other[1]["id"] != first[1]["id"]
    rows = await stack.rows("SELECT 1 FROM pandora.turns WHERE session_id = $1", first[1]["session_id"])
    assert len(rows) == 1


async def test_the_same_key_with_another_body_is_refused_and_says_what_to_do(stack: Stack) -> None:
    one = key()
    await post(stack, {"input": "The barn is red."}, one)

    status, problem = await post(stack, {"input": "The barn is blue."}, one)

    assert (status, problem["field"]) == (409, "Idempotency-Key")
    assert "use a new key for another turn" in problem["detail"]


async def test_two_users_may_use_the_same_key(stack: Stack) -> None:
    one = key()
    async with request(stack, "POST", "/v1/turns", {"input": "Hello."}, idempotency_key=one) as response:
        mine = await response.json()
    async with request(
        stack, "POST", "/v1/turns", {"input": "Hi."}, idempotency_key=one, **stack.headers("bob")
    ) as response:
        theirs = await response.json()

    assert mine["id"] != theirs["id"]


async def test_twenty_requests_with_one_key_at_once_through_two_gateways_are_one_turn(stack: Stack) -> None:
    one, body = key(), {"input": "The ferry leaves at nine."}
    async with second_gateway(stack) as (url, _):
        answers = await asyncio.gather(
            *(post(stack, body, one, url=url if number % 2 else None) for number in range(20))
        )

    assert {status for status, _ in answers} == {202}
    assert len({(answer["id"], answer["turn_number"], answer["session_id"]) for _, answer in answers}) == 1
    await stack.until_indexed(answers[0][1]["id"])
    rows = await stack.rows("SELECT 1 FROM pandora.turns WHERE session_id = $1", answers[0][1]["session_id"])
    assert len(rows) == 1


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 256, "ü"])
async def test_a_key_that_is_none_is_refused_by_the_headers_name(stack: Stack, given: str) -> None:
    status, problem = await post(stack, {"input": "Hello."}, given)

    assert (status, problem["field"]) == (400, "Idempotency-Key")
    assert "1 to 255 visible ASCII" in problem["detail"]


async def test_a_refused_body_does_not_use_up_its_key(stack: Stack) -> None:
    one = key()

    refused = await post(stack, {"input": "Hello.", "recipe": "cake"}, one)
    accepted = await post(stack, {"input": "Hello."}, one)

    assert (refused[0], accepted[0]) == (422, 202)
