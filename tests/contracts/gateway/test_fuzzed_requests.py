"""Whatever bytes come, each request is answered in the form of its route or closed, and others are served."""

import json
import random
from copy import deepcopy
from typing import Any, Final

import pytest

from shared.bus.connection import Bus
from tests.contracts.gateway.gateway_room import gateway_over_http
from tests.contracts.gateway.raw_http import answer_to, post

OPENAI: Final = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/conversations",
)
OWN: Final = ("/v1/turns", "/v1/search", "/v1/memories", "/v1/imports", "/v1/imports/memories")
BODIES: Final = {
    "nothing": b"",
    "no JSON": b"input=hello",
    "cut off": b'{"input": "hel',
    "not UTF-8": b'{"input": "\xff\xfe"}',
    "a lone surrogate": b'{"input": "\\ud800"}',
    "NUL": b'{"input": "a\\u0000b", "messages": [{"role": "user", "content": "\\u0000"}]}',
    "NaN": b'{"input": NaN}',
    "a huge number": b'{"input": 1e99999, "limit": 123456789012345678901234567890}',
    "deep": b"[" * 20_000 + b"]" * 20_000,
    "deep objects": b'{"input":' * 5_000 + b"1" + b"}" * 5_000,
    "a key twice": b'{"input": "a", "input": "b", "model": "x", "model": "y"}',
    "a list": b"[]",
    "a text": b'"hello"',
    "null": b"null",
    "a byte order mark": b'\xef\xbb\xbf{"input": "a"}',
    "two documents": b'{"input": "a"}{"input": "b"}',
    "a long key": b'{"' + b"k" * 50_000 + b'": 1}',
}
HEADERS: Final = {
    "another type": [b"content-type: text/plain"],
    "no type": [b"content-type: ///;;;charset=\xff"],
    "another charset": [b"content-type: application/json; charset=utf-7"],
    "packed, and it is not": [b"content-encoding: gzip"],
    "odd names": [b"x-\xc3\xa9: 1", b"x-request-id: \xff\xfe"],
    "a long value": [b"x-pandora-session: " + b"s" * 20_000],
    "control characters": [b"x-pandora-session: a\x01b", b"x-request-id: a\x7fb"],
    "a broken trace": [b"traceparent: 00-zz-zz-zz", b"baggage: " + b"=," * 500],
    "a range": [b"range: bytes=9-1", b"if-none-match: *", b"expect: 417-please"],
    "many": [f"x-{number}: 1".encode() for number in range(400)],
    "odd retries": [b"x-stainless-retry-count: -9e9", b"idempotency-key: \x80"],
    "two hosts": [b"host: other.example"],
    "two keys": [b"authorization: Bearer " + b"k" * 3_000, b"authorization: Basic Og=="],
}
RIGHT: Final = {
    "model": "parrot",
    "input": "hello",
    "messages": [
        {"role": "user", "content": "hello", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
    ],
    "query": "hello",
    "text": "hello",
    "kind": "fact",
    "prompt": "hello",
    "stream": False,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "stream_options": {"include_usage": True},
    "metadata": {"a": "b"},
    "stop": ["a"],
    "n": 1,
    "user": "u",
    "session_id": "s",
    "items": [{"type": "message", "role": "user", "content": "hello"}],
    "limit": 5,
    "max_tokens": 5,
}
ODD: list[Any] = [
    None, True, -1, 0, 2**63, -(2**70), 1e308, "", " ", "\x00", "\u202e", "a" * 5_000, [], {}, [[]], [None],
    {"": None}, {"a": {"b": []}}, ["a", 1], {"type": None}, {"role": 1}, "../../etc", "%00", "\r\nx: y",
]  # fmt: skip


def is_answer(path: str, status: int, head: bytes, body: bytes) -> bool:
    """Closed, or answered in the form of the route. 503: nobody answers the gateway in these tests."""
    if status == 0 or body.startswith(b"data: ") or b"text/event-stream" in head:
        return True
    if status >= 500 and status != 503:
        return False
    if status == 400 and head.count(b"\r\n") and b"text/plain" in head:
        return True  # By the server itself: it was no HTTP.
    said = json.loads(body)
    if (
        status < 400 or status == 403
    ):  # A foreign host is turned away before it is known which route is meant.
        return True
    return "error" in said if path in OPENAI else said["status"] == status


@pytest.mark.parametrize("path", [*OPENAI, *OWN, "/mcp"])
async def test_odd_bodies_and_headers(bus: Bus, path: str) -> None:
    async with gateway_over_http(bus, hold_seconds=0.0) as client:
        requests = {
            what: post(path, body, b"content-type: application/json") for what, body in BODIES.items()
        }
        right = json.dumps(RIGHT).encode()
        requests |= {what: post(path, right, *headers) for what, headers in HEADERS.items()}
        requests["less than it says"] = post(path, b"{}", length=100)
        requests["more than it says"] = post(path, b'{"input": "a"}', length=3)
        requests["a length that is none"] = post(path, b"{}").replace(b"length: 2", b"length: two")
        requests["two lengths"] = post(path, b"{}", b"content-length: 9")
        requests["both ways"] = post(path, b"{}", b"transfer-encoding: chunked")
        for what, request in requests.items():
            status, head, body = await answer_to(client, request, ends=True)
            assert path == "/mcp" or is_answer(path, status, head, body), (what, status, head, body[:500])
            assert status < 500 or status == 503, (what, status, body[:500])

        assert (await client.call("GET", "/v1/nothing"))[0] == 404


@pytest.mark.parametrize("path", [*OPENAI, *OWN])
async def test_right_requests_with_something_odd_in_them(bus: Bus, path: str) -> None:
    chance = random.Random(path)  # noqa: S311  # nothing is kept secret by it
    async with gateway_over_http(bus, hold_seconds=0.0) as client:
        for _ in range(100):
            body = json.loads(json.dumps(RIGHT))
            for _ in range(chance.randint(1, 3)):
                _spoil(body, chance)
            request = post(path, json.dumps(body).encode(), b"content-type: application/json")
            status, head, said = await answer_to(client, request)
            assert is_answer(path, status, head, said), (body, status, said[:500])


def _spoil(value: Any, chance: random.Random) -> None:
    """Puts something odd into it, at any depth."""
    if not value:
        return
    place = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if isinstance(value[place], dict | list) and value[place] and chance.random() < 0.6:
        _spoil(value[place], chance)
    elif chance.random() < 0.15 and isinstance(value, dict):
        del value[place]
    else:
        value[place] = deepcopy(chance.choice(ODD))


async def test_names_in_an_address_write_no_line_of_the_log_and_no_header(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway_over_http(bus, hold_seconds=0.0) as client:
        for name in ("a%0d%0aset-cookie:%20x", "a%0a2026-01-01%20ERROR%20forged", "%00", "%e2%80%a8"):
            for path in (f"/v1/sessions/{name}", f"/v1/turns/{name}", f"/v1/models/{name}"):
                async with client.open("GET", path, x_request_id=f"{name}!") as response:
                    assert "set-cookie" not in response.headers
                    assert response.status < 500 or response.status == 503
                    assert "!" not in response.headers.get("x-request-id", "")

    assert not any(record.exc_info for record in caplog.records)
