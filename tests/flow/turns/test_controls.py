"""Turns that are to be stopped and steered, and are not, over HTTP, through every real part."""

import pytest

from tests.stack import Stack


async def test_a_turn_that_has_ended_stays_as_it_is(stack: Stack) -> None:
    turn_id = (await stack.ask("The well is deep."))["turn_id"]

    status, answer = await stack.call("POST", f"/v1/turns/{turn_id}/cancel")
    steered, problem = await stack.call("POST", f"/v1/turns/{turn_id}/steer", {"text": "and cold"})

    assert (status, answer["found"], answer["done"]) == (200, "saved", False)
    assert (steered, problem["title"]) == (409, "Not possible as things stand")
    assert (await stack.call("GET", f"/v1/turns/{turn_id}"))[1]["status"] == "saved"


@pytest.mark.parametrize(("action", "body"), [("cancel", None), ("steer", {"text": "more"})])
async def test_a_user_does_not_control_the_turn_of_another(stack: Stack, action: str, body: object) -> None:
    turn_id = (await stack.ask("The well is deep.", user="alice"))["turn_id"]

    for path in (f"/v1/turns/{turn_id}/{action}", f"/v1/turns/unknown/{action}"):
        status, problem = await stack.call("POST", path, body, user="bob")
        assert status == 404, problem


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": ""}, 422),
        ({"text": " \n"}, 422),
        ({}, 422),
        ({"text": 7}, 422),
        ({"text": "x", "colour": "red"}, 422),
        ({"text": "x" * (256 * 1024 + 1)}, 413),
    ],
)
async def test_steering_that_says_nothing_or_too_much_is_refused(
    stack: Stack, body: object, status: int
) -> None:
    answered, problem = await stack.call("POST", "/v1/turns/t/steer", body)

    assert answered == status
    assert problem["field"] in ("text", "colour")
