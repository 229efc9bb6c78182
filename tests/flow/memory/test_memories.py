"""What users say of themselves is known from then on: over HTTP, NATS and the command."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.contract.events import MemorySaved, encode
from shared.contract.memories import Statement
from tests.flow import command
from tests.stack import Stack

Memory = dict[str, Any]


async def memories(stack: Stack, query: str = "", user: str = "alice") -> list[Memory]:
    status, page = await stack.call("GET", f"/v1/memories?limit=100&{query}", user=user)
    assert status == 200, page
    return list(page["memories"])


async def until_known(stack: Stack, value: str, query: str = "", user: str = "alice") -> Memory:
    """Waits for the reflector, which answers no request."""
    async with asyncio.timeout(20):
        while True:
            for memory in await memories(stack, query, user):
                if memory["value"] == value:
                    return memory
            await asyncio.sleep(0.1)


async def until_forgotten(stack: Stack, path: str) -> None:
    async with asyncio.timeout(30):
        while True:
            status, _ = await stack.call("GET", path)
            if status == 404:
                return
            await asyncio.sleep(0.1)


async def hits(stack: Stack, query: str, user: str = "alice") -> list[Memory]:
    body = {"query": query, "kinds": ["memory"], "limit": 10}
    status, found = await stack.call("POST", "/v1/search", body, user=user)
    assert status == 200, found
    return list(found["hits"])


async def pandora(stack: Stack, *arguments: str) -> str:
    """What the command prints, as bob."""
    status, printed = await command.pandora(stack, *arguments, user="bob")
    assert status == 0, printed
    return printed


async def test_a_change_of_mind_changes_what_is_known_and_the_history_shows_both(stack: Stack) -> None:
    lisbon_turn = await stack.tell("I live in Lisbon.", user="bob")
    lisbon = await until_known(stack, "Lisbon", "attribute=home", user="bob")
    porto_turn = await stack.tell("I moved to Porto last week.", user="bob")
    porto = await until_known(stack, "Porto", "attribute=home", user="bob")

    assert [one["value"] for one in await memories(stack, "attribute=home", user="bob")] == ["Porto"]
    (older,) = [one for one in await memories(stack, "history=true", user="bob") if one["value"] == "Lisbon"]
    assert older["status"] == "superseded"
    assert older["superseded_by"] == porto["memory_id"]
    assert older["valid_to"] == porto["valid_from"]
    assert older["evidence"][0]["turn_id"] == lisbon_turn["turn_id"]
    assert porto["evidence"][0]["quote"] == "I moved to Porto last week."
    assert porto["evidence"][0]["message_ids"] == [f"{porto_turn['turn_id']}:user"]
    then = await memories(stack, f"attribute=home&as_of={lisbon['valid_from']}", user="bob")
    assert [one["value"] for one in then] == ["Lisbon"]

    found = {hit["id"]: hit for hit in await hits(stack, "Where do I live?", user="bob")}
    assert found[porto["memory_id"]]["message_ids"] == [f"{porto_turn['turn_id']}:user"]
    assert lisbon["memory_id"] not in found

    answered = await stack.ask("Where do I live?", user="bob")
    assert "Porto" in answered["output"]
    assert "Lisbon" not in answered["output"]
    assert porto["memory_id"] in {source["id"] for source in answered["sources"]}

    shown = await pandora(stack, "memories", "--history")
    assert "I live in Lisbon." in shown
    assert "superseded" in shown
    assert "I live in Porto." in shown
    assert porto["evidence"][0]["session_id"][:13] in shown
    listed = json.loads(await pandora(stack, "memories", "--json"))["memories"]
    assert [one["value"] for one in listed if one["attribute"] == "home"] == ["Porto"]
    assert json.loads(await pandora(stack, "memories", "--as-of", lisbon["valid_from"], "--json"))["memories"]


async def test_what_is_no_name_changes_no_name(stack: Stack) -> None:
    for said in (
        "My name is Ana Sousa.",
        "The invoice is wrong. Please call me ASAP!",
        "My dog is called Rex.",
    ):
        await stack.tell(said, session_id=f"s{uuid4().hex}", user="bob")
    await until_known(stack, "Rex", user="bob")
    await until_known(stack, "Ana Sousa", user="bob")

    assert [one["value"] for one in await memories(stack, "attribute=name", user="bob")] == ["Ana Sousa"]
    assert "Ana Sousa" in (await stack.ask("What is my name?", user="bob"))["output"]


async def test_what_a_user_writes_down_is_found_corrected_and_forgotten(stack: Stack) -> None:
    word = f"jacaranda{uuid4().hex[:6]}"
    status, made = await stack.call("POST", "/v1/memories", {"text": f"The spare key is under the {word}."})
    path = f"/v1/memories/{made['memory_id']}"

    assert (status, made["kind"], made["made_by"], made["confidence"]) == (201, "note", "user", 1.0)
    assert [hit["id"] for hit in await hits(stack, f"key {word}")][:1] == [made["memory_id"]]
    assert (await stack.call("GET", path, user="bob"))[0] == 404

    status, changed = await stack.call("PATCH", path, {"text": f"The spare key is in the {word} pot."})
    assert (status, changed["text"]) == (200, f"The spare key is in the {word} pot.")
    assert [hit["text"] for hit in await hits(stack, f"key {word}")][:1] == [changed["text"]]

    status, ended = await stack.call("PATCH", path, {"valid_to": datetime.now(UTC).isoformat()})
    assert (status, ended["status"]) == (200, "ended")
    assert [hit for hit in await hits(stack, f"key {word}") if word in hit["text"]] == []
    status, again = await stack.call("PATCH", path, {"valid_to": None})
    assert (status, again["status"]) == (200, "current")

    assert (await stack.call("DELETE", path))[0] in (200, 202)
    await until_forgotten(stack, path)
    assert (await stack.call("DELETE", path))[0] == 404
    assert [hit for hit in await hits(stack, f"key {word}") if word in hit["text"]] == []


async def test_any_program_on_the_bus_may_state_what_lasts(stack: Stack) -> None:
    thing = f"colour{uuid4().hex[:6]}"
    now = datetime.now(UTC)
    statements = [
        Statement(text=f"My {thing} is {value}.", attribute=thing, value=value, said_at=at, made_by="tool")
        for value, at in (("blue", now), ("green", now - timedelta(days=9)))
    ]
    client = await stack.bus()
    for n, statement in enumerate(statements):
        event = MemorySaved(memory_id=f"{thing}-{n}", user="alice", statement=statement)
        for _ in range(2):
            await client.jetstream().publish(event.subject, encode(event))
    await client.close()

    green = await until_known(stack, "green", f"attribute={thing}&history=true")
    blue = await until_known(stack, "blue", f"attribute={thing}")
    assert (green["valid_to"], green["superseded_by"]) == (blue["valid_from"], blue["memory_id"])
    assert len(blue["evidence"]) == 1


async def test_what_shall_be_remembered_is_remembered(stack: Stack) -> None:
    word = f"plumber{uuid4().hex[:6]}"
    said = await stack.tell(f"Please remember that the {word} comes on Tuesday.")
    note = await until_known(stack, "", f"kind=note&q={word}")

    assert (note["text"], note["made_by"]) == (f"The {word} comes on Tuesday.", "user")
    assert note["evidence"][0]["turn_id"] == said["turn_id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/v1/memories", {}, "text"),
        ("POST", "/v1/memories", {"text": ""}, "text"),
        ("POST", "/v1/memories", {"text": " "}, "text"),
        ("POST", "/v1/memories", {"text": "x", "kind": "secret"}, "kind"),
        ("POST", "/v1/memories", {"text": "x", "confidence": 2}, "confidence"),
        ("POST", "/v1/memories", {"text": "x", "valid_from": "2026-01-01T00:00:00"}, "valid_from"),
        (
            "POST",
            "/v1/memories",
            {"text": "x", "valid_from": "2026-01-01T00:00:00Z", "valid_to": "2025-01-01T00:00:00Z"},
            "valid_to",
        ),
        ("POST", "/v1/memories", {"text": "x", "made_by": "reflector"}, "made_by"),
        ("GET", "/v1/memories?as_of=yesterday", None, "as_of"),
        ("GET", "/v1/memories?kind=secret", None, "kind"),
        ("GET", "/v1/memories?limit=0", None, "limit"),
        ("GET", "/v1/memories?cursor=x", None, "cursor"),
    ],
)
async def test_a_wrong_field_is_named(stack: Stack, method: str, path: str, body: Any, field: str) -> None:
    status, problem = await stack.call(method, path, body)

    assert (status, problem.get("field")) in [(422, field), (400, field)], problem


async def test_the_command_adds_shows_and_forgets(stack: Stack) -> None:
    word = f"tandem{uuid4().hex[:6]}"
    added = await pandora(stack, "memories", "add", f"The {word} is in the shed")
    memory_id = added.split()[-1].rstrip(".")

    shown = await pandora(stack, "memories", "show", memory_id[:20])
    assert f"text: The {word} is in the shed" in shown
    assert "kept by you" in shown
    assert "forgotten" in (await pandora(stack, "memories", "forget", memory_id)).lower()
    assert word not in await pandora(stack, "memories", "--history")
