"""Stock clients in front of the whole stack: by the requests that they send, and as programs of the page."""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.missing import skip_unless_ci
from tests.recorded.shapes import CHATS, UTILITY_CALLS, conversation, filled
from tests.stack import KEYS, ROOT, Stack

_PROGRAM = re.compile(r"^```(?:python|js) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = dict(_PROGRAM.findall((ROOT / "docs/clients.md").read_text()))
LANGCHAIN = ROOT / "build" / "langchain"
AI_SDK = ROOT / "build" / "ai-sdk"
"""Where `make build/langchain build/ai-sdk` installs them."""
_SECONDS = 60.0


async def post(stack: Stack, body: dict[str, Any], headers: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Returns the answer, whole or out of its chunks, and the headers."""
    url = f"{stack.gateway_url}/v1/chat/completions"
    async with (
        asyncio.timeout(_SECONDS),
        aiohttp.ClientSession(headers=stack.headers("bob")) as http,
        http.post(url, json={"model": "pandora-direct", **body}, headers=headers) as response,
    ):
        text = await response.text()
        assert response.status == 200, text
        found = {name.lower(): value for name, value in response.headers.items()}
    if not body.get("stream"):
        return str(json.loads(text)["choices"][0]["message"]["content"]), found
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices), found


async def talk(stack: Stack, client: dict[str, Any]) -> None:
    """Tells it something and asks for it, as this client does."""
    word = uuid4().hex
    named = {"chat": f"chat-{word}", "user": "mira", "conversation": "0" + word[:25].upper()}
    headers = filled(client["headers"], named)
    told = f"The locker {word} has the number 93."
    answer, first = await post(stack, conversation(client, [told], **named), headers)
    await stack.until_indexed(first["x-pandora-turn"])
    asked = [told, answer, f"Which number has the locker {word}?"]
    answer, second = await post(stack, conversation(client, asked, **named), headers)

    assert "93" in answer, client["client"]
    session = second["x-pandora-session"]
    assert session == first["x-pandora-session"], client["client"]
    assert session == named.get(client["session"], session), client["client"]


async def test_each_client_gets_its_answer_in_one_session(stack: Stack) -> None:
    async with asyncio.TaskGroup() as all_at_once:
        for client in CHATS:
            all_at_once.create_task(talk(stack, client))


async def test_what_clients_ask_for_themselves_is_no_turn_and_no_memory(stack: Stack) -> None:
    word = uuid4().hex
    places = {"said": f"My {word} is green.", "answered": "Good.", "chat": f"chat-{word}", "user": "mira"}
    calls = [filled(shape, places) for shape in UTILITY_CALLS]
    answers = await asyncio.gather(*(post(stack, call["body"], call["headers"]) for call in calls))

    assert not any("x-pandora-turn" in headers for _, headers in answers)
    assert await stack.rows("SELECT 1 FROM pandora.messages WHERE text LIKE $1", f"%{word}%") == []
    _, queue = await stack.call("GET", "/v1/queue", user="bob")
    assert [turn for turn in queue["turns"] if word in turn["input"]] == []


async def test_an_answer_that_is_asked_for_again_leaves_a_branch(stack: Stack) -> None:
    word = uuid4().hex
    open_webui = CHATS[0]
    named = {"chat": f"chat-{word}", "user": "mira"}
    headers = filled(open_webui["headers"], named)

    async def say(*turns: str) -> tuple[str, str]:
        answer, found = await post(stack, conversation(open_webui, list(turns), **named), headers)
        await stack.until_indexed(found["x-pandora-turn"])
        return answer, found["x-pandora-turn"]

    hello = f"Hello {word}"
    greeted, first = await say(hello)
    _, left = await say(hello, greeted, f"My kite {word} is green.")
    _, edited = await say(hello, greeted, f"My kite {word} is yellow.")

    async with asyncio.timeout(_SECONDS):
        while True:
            _, listed = await stack.call("GET", f"/v1/turns?session_id=chat-{word}", user="bob")
            marks = {turn["turn_id"]: turn["abandoned"] for turn in listed["turns"]}
            if marks == {first: False, left: True, edited: False}:
                break
            await asyncio.sleep(0.05)
    _, found = await stack.call("POST", "/v1/search", {"query": f"kite {word}"}, user="bob")
    texts = [hit["text"] for hit in found["hits"]]
    assert any("yellow" in text for text in texts)
    assert not any("green" in text for text in texts)


# --- programs ---


@pytest.fixture
async def told(stack: Stack) -> None:
    await stack.tell("My boat is called Tilda, and my boat is painted turquoise.", user="carol")


def ask(stack: Stack, program: str, *command: str | Path) -> str:
    """Runs a program of the page as it stands. Returns what it prints."""
    text = PROGRAMS[program].replace("http://127.0.0.1:9000", stack.gateway_url)
    file = stack.data_dir / program
    file.write_text(text.replace("any text", KEYS["carol"]))
    done = subprocess.run([*command, file], capture_output=True, text=True, timeout=_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_langchain_remembers_across_conversations(stack: Stack, told: None) -> None:
    python = LANGCHAIN / "bin" / "python"
    if not python.exists():
        skip_unless_ci("LangChain is not installed (`make build/langchain` installs it)")

    said = await asyncio.to_thread(ask, stack, "langchain_ask.py", python)

    assert "Tilda" in said
    assert "turquoise" in said


async def test_the_vercel_ai_sdk_remembers_across_conversations(stack: Stack, told: None) -> None:
    node = shutil.which("node")
    if node is None or not (AI_SDK / "node_modules").is_dir():
        skip_unless_ci("node or the AI SDK is not installed (`make build/ai-sdk` installs the SDK)")
    modules = stack.data_dir / "node_modules"
    modules.symlink_to(AI_SDK / "node_modules")

    said = await asyncio.to_thread(ask, stack, "ai_sdk_ask.mjs", str(node))

    assert "Tilda" in said
    assert "turquoise" in said
