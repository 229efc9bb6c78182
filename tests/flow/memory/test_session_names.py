"""A session is listed, read and forgotten by whatever name it came in with, and no other goes with it."""

import json
from pathlib import Path
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.client.gateway import Gateway, gateway_at, text_body
from shared.contract.events import ANY_SESSION_PATTERN
from tests.flow.command import pandora
from tests.stack import KEYS, ROOT, Stack

CASES = ROOT.parent / "shared" / "cases" / "imports" / "session_names.ndjson"
ODD = ["work", "work/", "/work", "work//x", "work/../x", ".", "...", "./a", ".hidden", "?now=true", "a?b#c"]
ODD += ["%", "%2e%2e", "%252F", "+", "a+b", " ", "\u3000", "é", "e\u0301", "\U0001f41d" * 128, "x" * 128]
ODD += [
    "-",
    "--yes",
    "-y",
    "me",
    "*",
    "a;b=c",
    "a:b@c",
    "\x80",
    "\u2028",
    "\ue200",
    '"',
    "'; drop--",
    "a\\..\\b",
]
NAMES = st.one_of(st.sampled_from(ODD), st.from_regex(ANY_SESSION_PATTERN, fullmatch=True)).filter(
    lambda name: name.isprintable() or not any("\ud800" <= letter <= "\udfff" for letter in name)
)


async def bring_in(gateway: Gateway, names: list[str]) -> None:
    lines = [
        {"session_id": name, "message_id": f"m{place}", "speaker": "Ana", "text": f"Shed {place} is blue."}
        for place, name in enumerate(names)
    ]
    body = text_body("\n".join(map(json.dumps, lines)).encode(), "application/x-ndjson")
    answer = await gateway.call("POST", "/v1/imports", body=body)
    assert answer["new"] == len(names), answer


async def listed(gateway: Gateway) -> dict[str, int]:
    """How many messages each session has, from pages of two."""
    found: dict[str, int] = {}
    cursor: str | None = ""
    while cursor is not None:
        asked = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = await gateway.call("GET", f"/v1/sessions?{urlencode(asked)}")
        assert not found.keys() & {one["session_id"] for one in page["sessions"]}
        found |= {one["session_id"]: one["messages"] for one in page["sessions"]}
        cursor = page["next_cursor"]
    return found


async def check_each_can_be_read(gateway: Gateway, names: list[str]) -> None:
    for place, name in enumerate(names):
        query = urlencode({"session_id": name})
        said = await gateway.call("GET", f"/v1/messages?{query}")
        one = await gateway.call("GET", f"/v1/sessions?{query}")
        assert [message["text"] for message in said["messages"]] == [f"Shed {place} is blue."]
        assert [session["session_id"] for session in one["sessions"]] == [name]
        assert await gateway.call("GET", f"/v1/turns?{query}") == {"turns": [], "next_cursor": None}
        settings_of = await gateway.call("GET", f"/v1/sessions/{quote(name, safe='')}")
        assert settings_of == {"session_id": name, "recipe": ""}


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(NAMES, min_size=3, max_size=6, unique=True))
async def test_any_session_that_comes_in_is_forgotten_alone(stack: Stack, names: list[str]) -> None:
    async with gateway_at(stack.gateway_url, KEYS["carol"]) as carol:
        await forget_everything(carol)
        await bring_in(carol, names)
        left = dict.fromkeys(names, 1)
        assert await listed(carol) == left
        await check_each_can_be_read(carol, names)

        for place, name in enumerate(names):
            ways = [f"sessions/{quote(name, safe='')}", f"sessions?{urlencode({'session_id': name})}"]
            receipt = await carol.call("DELETE", f"/v1/{ways[place % 2]}")
            del left[name]

            assert receipt["target"] == name
            assert await listed(carol) == left


async def pandora_of_carol(stack: Stack, *arguments: str) -> tuple[int, str]:
    return await pandora(stack, *arguments, user="carol")


async def forget_everything(gateway: Gateway) -> None:
    await gateway.call("DELETE", "/v1/users/me/data")


async def test_each_name_of_an_export_is_forgotten_by_command(stack: Stack, tmp_path: Path) -> None:
    if not CASES.exists():
        pytest.skip(f"{CASES} is not there")
    file = tmp_path / "names.ndjson"
    file.write_bytes(CASES.read_bytes())
    names = [json.loads(line)["session_id"] for line in file.read_bytes().splitlines()]
    async with gateway_at(stack.gateway_url, KEYS["carol"]) as carol:
        await forget_everything(carol)
        code, said = await pandora_of_carol(stack, "import", "conversations", str(file))
        assert (code, "14 new" in said) == (0, True), said
        left = dict.fromkeys(names, 1)

        for name in names:
            code, said = await pandora_of_carol(stack, "forget", "session", name, "--yes")
            del left[name]

            assert code == 0, said
            assert await listed(carol) == left


async def test_a_name_that_begins_with_a_dash_comes_after_two(stack: Stack) -> None:
    name = f"--yes {uuid4()}"
    async with gateway_at(stack.gateway_url, KEYS["carol"]) as carol:
        await forget_everything(carol)
        await bring_in(carol, [name, "kept"])

        code, said = await pandora_of_carol(stack, "forget", "session", "--yes", "--", name)

        assert code == 0, said
        assert await listed(carol) == {"kept": 1}
