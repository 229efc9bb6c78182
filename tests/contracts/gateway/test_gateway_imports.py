"""Messages that were said elsewhere, over HTTP, in front of an indexer of a few lines."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from shared.bus.connection import Bus
from tests.contracts.gateway.gateway_room import Client, Indexer, gateway_over_http

Line = dict[str, Any]


@pytest.fixture
async def client(bus: Bus, indexer: Indexer) -> AsyncIterator[Client]:
    async with gateway_over_http(bus, admin_users="alice") as connected:
        yield connected


def line(number: int, session: str = "s1", **more: Any) -> Line:
    fields = {"session_id": session, "message_id": f"m{number}", "speaker": "Mira", "text": f"Fact {number}."}
    return fields | {"at": "8 May 2023"} | more


def body(*lines: Line | bytes) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)


async def send(client: Client, data: object, path: str = "/v1/imports", **more: str) -> tuple[int, Any]:
    return await client.call("POST", path, data, content_type="application/x-ndjson", **more)


async def test_a_file_is_stored_and_the_same_again_changes_nothing(client: Client, indexer: Indexer) -> None:
    lines = [line(number, f"s{number // 300}") for number in range(1000)]

    first = await send(client, body(*lines))
    again = await send(client, body(*lines))
    corrected = await send(client, body(*lines[:9], lines[9] | {"text": "Corrected."}))

    assert not indexer.overlapped
    none = {"changed": 0, "bad": [], "bad_lines": 0}
    assert first == (200, none | {"lines": 1000, "new": 1000, "known": 0})
    assert again == (200, none | {"lines": 1000, "new": 0, "known": 1000})
    assert corrected == (200, none | {"lines": 10, "new": 0, "changed": 1, "known": 9})
    assert {user for user, _, _ in indexer.held} == {"alice"}
    for session in range(4):
        held = [name for _, of, name in indexer.held if of == f"s{session}"]
        assert held == [one["message_id"] for one in lines if one["session_id"] == f"s{session}"]


async def test_bad_lines_are_named_and_do_not_stop_the_good(client: Client, indexer: Indexer) -> None:
    status, answer = await send(
        client, body(b"hello", line(1), b"", line(2, at="tomorrow"), line(3) | {"text": None}, line(4))
    )

    assert status == 200
    assert [bad["line"] for bad in answer["bad"]] == [1, 4, 5]
    assert "not JSON" in answer["bad"][0]["reason"]
    assert answer["bad"][1]["reason"] == "at: 'tomorrow' is no date that can be read"
    assert "$.text" in answer["bad"][2]["reason"]
    assert (answer["lines"], answer["new"], answer["bad_lines"]) == (5, 2, 3)
    assert [name for _, _, name in indexer.held] == ["m1", "m4"]


async def test_of_many_bad_lines_the_first_thousand_are_named(client: Client) -> None:
    _, answer = await send(client, b"?\n" * 1500)

    assert (answer["lines"], answer["bad_lines"], len(answer["bad"])) == (1500, 1500, 1000)


async def test_nothing_is_an_import_too(client: Client) -> None:
    assert (await send(client, b"\n"))[1]["lines"] == 0


async def test_only_an_admin_imports_for_others(client: Client, indexer: Indexer) -> None:
    lines = body(line(1), line(2, user="bob"))

    _, admin = await send(client, lines)
    _, other = await send(client, body(line(3, user="bob"), line(4, user="alice")), user="bob")
    _, default = await send(client, lines, "/v1/imports?user=carol")
    status, problem = await send(client, lines, "/v1/imports?user=carol", user="bob")

    assert (admin["new"], other["new"], default["new"]) == (2, 1, 1)
    assert other["bad"] == [
        {"line": 2, "reason": "user: bob may not import for 'alice'; that takes an admin's key"}
    ]
    assert (status, problem["field"]) == (404, "user")
    assert sorted((user, name) for user, _, name in indexer.held) == [
        ("alice", "m1"),
        ("bob", "m2"),
        ("bob", "m3"),
        ("carol", "m1"),
    ]


async def test_what_is_stored_is_said_where_the_rest_cannot_be(client: Client, indexer: Indexer) -> None:
    indexer.takes = 2
    lines = body(*(line(number) for number in range(1000)))

    async with client.open("POST", "/v1/imports", lines) as response:
        problem = await response.json()
        assert (response.status, response.headers["retry-after"]) == (503, "2")
    indexer.takes = 1000
    again = await send(client, lines)

    assert "512 of the first 1000 lines are stored" in problem["detail"]
    assert "the database is away" in problem["detail"]
    assert (again[1]["new"], again[1]["known"]) == (488, 512)


async def test_without_an_indexer_nothing_is_promised(bus: Bus) -> None:
    async with gateway_over_http(bus) as client:
        status, problem = await send(client, body(line(1)))

    assert status == 503
    assert "0 of the first 1 lines are stored" in problem["detail"]


async def test_a_body_is_read_as_it_comes(client: Client, indexer: Indexer) -> None:
    """It is larger than what is held of it at a time, and a line is cut anywhere."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, 60):
            lines = (line(number, text="x" * 4000) for number in range(start * 100, start * 100 + 100))
            text = body(*lines) + b"\n"
            yield text[:1234]
            if start == 59:
                assert indexer.imports, "most of it has been stored before the last has come"
            yield text[1234:]

    assert (await send(client, chunks()))[1]["new"] == 6000


async def test_a_sender_who_leaves_half_way_may_send_all_of_it_again(
    client: Client, indexer: Indexer, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [line(number) for number in range(3000)]

    async def broken() -> AsyncIterator[bytes]:
        yield body(*lines[:2500])
        while not indexer.imports:  # noqa: ASYNC110 - the gateway is busy
            await asyncio.sleep(0.01)
        raise OSError("the line is cut")

    with pytest.raises(aiohttp.ClientError):
        await send(client, broken())
    _, answer = await send(client, body(*lines))

    assert answer["known"] > 0
    assert answer["new"] + answer["known"] == 3000
    assert caplog.records == []


async def test_a_body_that_is_too_large_is_refused(bus: Bus, indexer: Indexer) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield body(*(line(number) for number in range(5))) + b"\n"
        yield b" " * 2000

    async with gateway_over_http(bus, import_limit_bytes=2000) as client:
        announced, problem = await send(client, b" " * 2001)
        chunked, other = await send(client, chunks())

    assert (announced, chunked) == (413, 413)
    assert "IMPORT_LIMIT_BYTES" in problem["detail"]
    assert "lines are stored; send it in parts" in other["detail"]


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"content_encoding": "gzip"}, "Content-Encoding"),
        ({"content_type": "multipart/form-data; boundary=x"}, "Content-Type"),
    ],
)
async def test_what_is_not_lines_is_refused(client: Client, headers: dict[str, str], field: str) -> None:
    status, problem = await client.call("POST", "/v1/imports", b"hello", **headers)

    assert (status, problem["field"]) == (415, field)


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded"])
async def test_lines_are_read_whatever_they_are_called(client: Client, kind: str) -> None:
    status, answer = await client.call("POST", "/v1/imports", body(line(1), line(2)), content_type=kind)

    assert (status, answer["new"]) == (200, 2)


async def test_a_key_is_needed(client: Client) -> None:
    status, _ = await client.call("POST", "/v1/imports", body(line(1)), x_api_key="wrong")

    assert status == 401
