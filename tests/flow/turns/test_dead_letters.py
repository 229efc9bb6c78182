"""What was given up, over HTTP and by the command, in a whole installation. Alice is an admin, bob is not."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from tests.flow.command import pandora
from tests.stack import Stack


async def give_up(stack: Stack, body: bytes, subject: str = "turn.cancelled") -> dict[str, Any]:
    """The row of the letter of a message that cannot be handled."""
    message_id = f"{uuid4()}:{subject}"
    client = await stack.bus("orchestrator")
    await client.jetstream().publish(subject, body, headers={"Nats-Msg-Id": message_id, "x-note": "ça va"})
    await client.close()
    async with asyncio.timeout(30):
        while True:
            for letter in await rows(stack):
                if letter["message_id"] == message_id:
                    return letter
            await asyncio.sleep(0.05)


async def rows(stack: Stack) -> list[dict[str, Any]]:
    found, cursor = [], ""
    while True:
        status, page = await stack.call("GET", f"/v1/admin/dead?limit=100{cursor}")
        assert status == 200, page
        found += page["letters"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def same_message(stack: Stack, row: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in await rows(stack) if one["message_id"] == row["message_id"]]


async def test_an_admin_sees_all_that_is_known_and_drops_it(stack: Stack) -> None:
    row = await give_up(stack, b'{"turn_id": "t1"}')
    path = f"/v1/admin/dead/{row['sequence']}"

    _, letter = await stack.call("GET", path)
    dropped = [await stack.call("DELETE", path) for _ in range(2)]
    status, problem = await stack.call("GET", path)

    assert row["durable"] == "indexer-turn-cancelled"
    assert "not a valid TurnCancelled" in row["reason"]
    assert (letter["attempts"], letter["subject"]) == (1, "turn.cancelled")
    assert letter["first_error"] == letter["last_error"] == letter["reason"]
    assert (letter["headers"], letter["body"]) == ({"x-note": "ça va"}, '{"turn_id": "t1"}')
    assert [(status, body["done"]) for status, body in dropped] == [(200, True), (200, False)]
    assert (status, problem["title"]) == (404, "Not found")


async def test_a_replay_that_fails_again_is_a_new_letter_and_one_letter(stack: Stack) -> None:
    row = await give_up(stack, b"{}")
    path = f"/v1/admin/dead/{row['sequence']}/replay"

    replayed = await asyncio.gather(*(stack.call("POST", path) for _ in range(3)))
    async with asyncio.timeout(30):
        while not (again := await same_message(stack, row)):  # noqa: ASYNC110 - another process knows
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)

    assert [status for status, _ in replayed] == [200] * 3
    assert sum(body["done"] for _, body in replayed) == 1
    assert await same_message(stack, row) == again
    assert again[0]["sequence"] > row["sequence"]
    await stack.call("DELETE", f"/v1/admin/dead/{again[0]['sequence']}")


async def test_a_turn_that_cannot_be_read_is_given_up_too(stack: Stack) -> None:
    row = await give_up(stack, b"hello", "turn.requested")

    assert row["durable"] == "orchestrator-turn-requested"
    await stack.call("DELETE", f"/v1/admin/dead/{row['sequence']}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/admin/dead"),
        ("GET", "/v1/admin/dead/1"),
        ("POST", "/v1/admin/dead/1/replay"),
        ("DELETE", "/v1/admin/dead/1"),
    ],
)
async def test_who_is_no_admin_is_refused_on_every_route(stack: Stack, method: str, path: str) -> None:
    status, problem = await stack.call(method, path, user="bob")

    assert (status, problem["title"]) == (403, "Not allowed with this key")
    assert "ADMIN_USERS" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/admin/dead/999999999", 404),
        ("/v1/admin/dead/0", 422),
        ("/v1/admin/dead/99999999999999999999", 422),
        ("/v1/admin/dead/x", 404),
        ("/v1/admin/dead?limit=0", 422),
        ("/v1/admin/dead?cursor=-1", 422),
    ],
)
async def test_what_cannot_be_is_refused(stack: Stack, path: str, expected: int) -> None:
    status, _ = await stack.call("GET", path)

    assert status == expected


async def test_the_command_lists_shows_replays_and_drops(stack: Stack) -> None:
    row = await give_up(stack, b'{"turn_id": "a \\u001b[2J"}')
    number = str(row["sequence"])

    listed = await pandora(stack, "dead", "list", "--limit", "100")
    shown = await pandora(stack, "dead", "show", number, "--json")
    replayed = await pandora(stack, "dead", "replay", number)
    dropped = await pandora(stack, "dead", "drop", number, "--json")
    missing = await pandora(stack, "dead", "show", "999999999")
    refused = await pandora(stack, "dead", "list", user="bob")

    assert listed[0] == 0
    assert f"{number} " in listed[1]
    assert json.loads(shown[1])["message_id"] == row["message_id"]
    assert replayed == (0, f"{number}: replayed\n")
    assert json.loads(dropped[1]) == [{"sequence": row["sequence"], "done": False}]
    assert missing[0] == 1
    assert "there is no dead letter 999999999" in missing[1]
    assert refused[0] == 1
    assert "has not the ability operate:read" in refused[1]
    assert [text.count("\n") for _, text in (missing, refused)] == [1, 1]


async def test_the_command_settles_all_that_there_is(stack: Stack) -> None:
    await give_up(stack, b"{}")
    before = {row["sequence"] for row in await rows(stack)}

    status, said = await pandora(stack, "dead", "replay", "--all", "--json")

    assert status == 0, said
    assert {result["sequence"] for result in json.loads(said)} == before
    assert not before & {row["sequence"] for row in await rows(stack)}
