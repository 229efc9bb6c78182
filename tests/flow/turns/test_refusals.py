"""What is refused over HTTP: bad requests, and what belongs to another user."""

import json

import aiohttp
import pytest

from tests.flow.turns.http_turns import unique
from tests.stack import Stack

BAD_TURNS = [
    (b"{", 400, None),
    (b"", 400, None),
    (b"[]", 422, None),
    (b'{"input": "\xff"}', 400, None),
    (b'{"input": "\\ud800"}', 400, None),
    (b"[" * 100_000, 422, None),
    (b"{}", 422, "input"),
    (b'{"input": 7}', 422, "input"),
    (b'{"input": null}', 422, "input"),
    (b'{"input": ""}', 422, "input"),
    (b'{"input": " \\n "}', 422, "input"),
    (b'{"input": "x", "session_id": 5}', 422, "session_id"),
    (b'{"input": "x", "session_id": "a b"}', 422, "session_id"),
    (b'{"input": "x", "session_id": "a\\n"}', 422, "session_id"),
    (b'{"input": "x", "metadata": {"a": 1}}', 422, "metadata[...]"),
    (b'{"input": "x", "metadata": []}', 422, "metadata"),
    (b'{"input": "x", "colour": "red"}', 422, "colour"),
    (b'{"input": "x", "recipe": "cake"}', 422, "recipe"),
    (b'{"input": "x", "model": "gpt-99"}', 422, "model"),
    (b'{"input": "' + b"x" * (256 * 1024 + 1) + b'"}', 413, "input"),
    (b'{"input": "' + b"x" * (4 * 1024 * 1024) + b'"}', 413, "input"),
    (b'{"input": "' + b"x" * (17 * 1024 * 1024) + b'"}', 413, None),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD_TURNS, ids=lambda value: str(value)[:40])
async def test_bad_input_is_refused_with_the_field_that_is_wrong(
    stack: Stack, body: bytes, status: int, field: str | None
) -> None:
    answered, problem = await stack.call("POST", "/v1/turns", body)

    assert (answered, problem["field"]) == (status, field), problem
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("DELETE", "/v1/turns", None, 405),
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/v1/turns/unknown", None, 404),
        ("GET", "/v1/turns/unknown/events", None, 404),
        ("GET", "/v1/turns/unknown/documents", None, 404),
        ("GET", "/v1/turns/a.b*", None, 404),
        ("GET", "/v1/turns?limit=0", None, 422),
        ("GET", "/v1/turns?limit=many", None, 422),
        ("GET", "/v1/turns?cursor=x", None, 422),
        ("POST", "/v1/search", {"query": ""}, 422),
        ("POST", "/v1/search", {"query": "  "}, 422),
        ("POST", "/v1/search", {"query": "x", "limit": 0}, 422),
        ("POST", "/v1/search", {"query": "x", "limit": True}, 422),
        ("POST", "/v1/search", {"query": "x", "limit": "5"}, 422),
        ("POST", "/v1/search", {"query": "x", "kinds": ["dragon"]}, 422),
        ("POST", "/v1/search", {}, 422),
    ],
)
async def test_every_wrong_request_is_a_clear_refusal(
    stack: Stack, method: str, path: str, body: object, status: int
) -> None:
    answered, problem = await stack.call(method, path, body)

    assert answered == status, problem
    assert problem["detail"]
    assert problem["request_id"]


async def test_a_user_never_finds_reads_or_streams_anothers_turn(stack: Stack) -> None:
    secret = unique("Zanzibar")
    told = await stack.tell(f"The password of the vault is {secret}.", user="alice")

    status, found = await stack.call("POST", "/v1/search", {"query": secret}, user="bob")
    assert status == 200
    assert told["turn_id"] not in {hit["turn_id"] for hit in found["hits"]}
    answered = await stack.ask(f"What is the password of the vault? Is it {secret}?", user="bob")
    assert answered["sources"] == []
    for path in ("", "/events", "/documents", "/documents/context.md"):
        status, body = await stack.call("GET", f"/v1/turns/{told['turn_id']}{path}", user="bob")
        assert status == 404, path
        assert secret not in json.dumps(body)
    _, mine = await stack.call("POST", "/v1/search", {"query": secret}, user="alice")
    assert mine["hits"][0]["turn_id"] == told["turn_id"]


async def test_two_users_may_name_their_sessions_alike(stack: Stack) -> None:
    session, name = unique("shared-"), unique("Quentin")
    await stack.ask(f"My cat is called {name}.", session_id=session, user="alice")

    answered = await stack.ask("What is my cat called?", session_id=session, user="bob")

    assert name not in answered["output"]


async def test_without_a_key_nothing_is_answered(stack: Stack) -> None:
    async with aiohttp.ClientSession() as http:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": ""}):
            async with http.get(f"{stack.gateway_url}/v1/turns", headers=headers) as response:
                assert response.status == 401
                assert response.headers["www-authenticate"] == "Bearer"
                assert (await response.json())["type"].startswith("/problems/")
