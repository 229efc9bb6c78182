"""A recipe that takes the tools of clients, with OpenAI's own client: one turn, whatever it asks for."""

import asyncio
import json
import re
import subprocess
import sys
from typing import Any
from uuid import uuid4

import openai
import pytest

from tests.flow.openai.clients import client_of
from tests.flow.pipeline.asking import until
from tests.stack import KEYS, ROOT, Stack

MODEL = "pandora-calling"
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Tells the weather of a place.",
    "parameters": PLACE,
}
TOOLS: list[dict[str, Any]] = [{"type": "function", "function": WEATHER}]
Messages = list[dict[str, Any]]


_PROGRAM = re.compile(r"^```python turn_tools.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Conversation:
    """A client that keeps its own history, as OpenAI's programs do."""

    def __init__(self, client: Any, **more: Any) -> None:
        self._client = client
        self._more = {"model": MODEL, "tools": TOOLS, **more}
        self.messages: Messages = []
        self.turns: list[str] = []
        self.sessions: set[str] = set()

    def say(self, text: str) -> "Conversation":
        self.messages.append({"role": "user", "content": text})
        return self

    async def answer(self) -> Any:
        """The next message, which is added to the history."""
        raw = await self._client.chat.completions.with_raw_response.create(
            messages=self.messages, **self._more
        )
        self.turns.append(raw.headers["x-pandora-turn"])
        self.sessions.add(raw.headers["x-pandora-session"])
        choice = raw.parse().choices[0]
        self.messages.append(choice.message.model_dump(exclude_none=True))
        assert (choice.finish_reason == "tool_calls") == bool(choice.message.tool_calls)
        return choice.message

    def call_all(self, message: Any) -> None:
        for call in message.tool_calls:
            place = json.loads(call.function.arguments)["place"]
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": f"Rain in {place}."})


async def test_a_turn_waits_for_the_tools_of_its_client_and_the_conversation_goes_on(scripted: Stack) -> None:
    async with client_of(scripted) as client:
        said = Conversation(client)
        asked = await said.say("Will it rain in Lisbon?").answer()
        waiting = await until(scripted, said.turns[0], "waiting", "saved")
        said.call_all(asked)
        answer = await said.answer()
        await said.say("Thank you for that.").answer()

    assert [(call.function.name, json.loads(call.function.arguments)) for call in asked.tool_calls] == [
        ("get_weather", {"place": "Lisbon"})
    ]
    assert (asked.content, waiting["status"]) == (None, "waiting")
    assert answer.content.strip() == "Rain in Lisbon."
    first, same, second = said.turns
    assert (first == same, first == second, len(said.sessions)) == (True, False, 1)
    _, turn = await scripted.call("GET", f"/v1/turns/{first}")
    assert (turn["status"], turn["output"].strip()) == ("saved", "Rain in Lisbon.")
    _, record = await scripted.call("GET", f"/v1/turns/{second}")
    assert record["session_id"] in said.sessions


async def test_the_program_of_the_page_runs_as_it_stands(scripted: Stack) -> None:
    found = _PROGRAM.search((ROOT / "docs/clients.md").read_text())
    assert found is not None
    program = found[1].replace("http://127.0.0.1:9000", scripted.gateway_url)

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program.replace("any text", KEYS["alice"])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == 'get_weather {"place": "Lisbon"}'
    assert "Rain in the evening." in done.stdout


async def test_calls_come_in_a_stream_and_several_at_once(scripted: Stack) -> None:
    async with client_of(scripted) as client:
        messages: Messages = [{"role": "user", "content": "Will it rain in Porto and Faro?"}]
        calls, reason, _ = await streamed(client, messages)
        messages.append({"role": "assistant", "tool_calls": calls})
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": f"Rain in {place}."}
            for call, place in zip(calls, ("Porto", "Faro"), strict=True)
        ]
        none, end, text = await streamed(client, messages)

    assert [(call["index"], json.loads(call["function"]["arguments"])) for call in calls] == [
        (0, {"place": "Porto"}),
        (1, {"place": "Faro"}),
    ]
    assert (reason, end, none) == ("tool_calls", "stop", [])
    assert text == "Rain in Porto. Rain in Faro."


async def streamed(client: Any, messages: Messages) -> tuple[list[dict[str, Any]], str, str]:
    calls: list[dict[str, Any]] = []
    text, reason = "", ""
    async for chunk in await client.chat.completions.create(
        model=MODEL, messages=messages, tools=TOOLS, stream=True
    ):
        (choice,) = chunk.choices
        calls += [call.model_dump() for call in choice.delta.tool_calls or []]
        text += choice.delta.content or ""
        reason = choice.finish_reason or reason
    return calls, reason, text


async def test_results_that_are_sent_again_get_the_same_answer(scripted: Stack) -> None:
    async with client_of(scripted) as client:
        said = Conversation(client)
        asked = await said.say(f"Will it rain in Evora, {uuid4()}?").answer()
        said.call_all(asked)
        history = list(said.messages)
        first = await said.answer()
        said.messages = history
        again = await said.answer()

    assert first.content == again.content
    assert len(set(said.turns)) == 1


async def test_a_turn_waits_for_its_client_through_a_restart(scripted: Stack) -> None:
    async with client_of(scripted, max_retries=10) as client:
        said = Conversation(client)
        asked = await said.say("Will it rain in Braga?").answer()
        assert await asyncio.to_thread(scripted.stop) == 0, scripted.terminal()
        await asyncio.to_thread(scripted.start)
        said.call_all(asked)
        answer = await said.answer()

    assert answer.content.strip() == "Rain in Braga."
    assert len(set(said.turns)) == 1


async def test_a_client_that_goes_on_otherwise_stops_the_turn_that_waits(scripted: Stack) -> None:
    async with client_of(scripted) as client:
        said = Conversation(client)
        await said.say("Will it rain in Viseu?").answer()
        said.messages.pop()
        await said.say("Never mind, good morning.").answer()

    turn = await until(scripted, said.turns[0], "cancelled", "saved")
    assert turn["status"] == "cancelled"
    assert len(said.sessions) == 1


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        ({"model": "pandora-direct"}, "tools", "client_tools"),
        ({"tool_choice": "required"}, "tool_choice", "auto or none"),
        ({"tools": [{"type": "function", "function": {"name": "no such.name"}}]}, "tools", "name"),
        ({"functions": [WEATHER]}, "functions", "its recipe chooses its tools"),
    ],
)
async def test_what_a_turn_cannot_take_is_refused_by_name(
    scripted: Stack, change: dict[str, Any], field: str, why: str
) -> None:
    asked = {"model": MODEL, "tools": TOOLS, "messages": [{"role": "user", "content": "Hello"}], **change}
    async with client_of(scripted) as client:
        extra = {"functions": asked.pop("functions")} if "functions" in asked else {}
        with pytest.raises(openai.BadRequestError, match=why) as refused:
            await client.chat.completions.create(**asked, extra_body=extra)

    assert refused.value.param == field


async def test_results_of_no_call_and_calls_without_a_result_are_refused(scripted: Stack) -> None:
    async with client_of(scripted) as client, client_of(scripted, "bob") as stranger:
        said = Conversation(client)
        asked = await said.say("Will it rain in Sines and Loule?").answer()
        said.call_all(asked)
        history = list(said.messages)

        said.messages = history[:-1]
        with pytest.raises(openai.BadRequestError, match="has no result of the call call_"):
            await said.answer()
        said.messages = [*history[:-1], {**history[-1], "tool_call_id": "call_1"}]
        with pytest.raises(openai.BadRequestError, match="no turn has asked for"):
            await said.answer()
        other = Conversation(stranger)
        other.messages = history
        with pytest.raises(openai.NotFoundError):
            await other.answer()

        said.messages = history
        assert (await said.answer()).content == "Rain in Sines. Rain in Loule."


async def test_a_client_of_pandora_s_own_routes_offers_tools_too(scripted: Stack) -> None:
    asked = {"input": "Will it rain in Tomar?", "recipe": "calling", "tools": [WEATHER]}
    status, accepted = await scripted.call("POST", "/v1/turns", asked)
    assert status == 202, accepted
    path = f"/v1/turns/{accepted['id']}"
    await until(scripted, accepted["id"], "waiting", "saved")
    _, queue = await scripted.call("GET", "/v1/queue?status=waiting")

    approved, refusal = await scripted.call("POST", f"{path}/approve", {"call": "1.a"})
    stranger, _ = await scripted.call("POST", f"{path}/result", {"call": "1.a", "text": "x"}, user="bob")
    status, answered = await scripted.call(
        "POST", f"{path}/result", {"call": "1.a", "text": "Rain in Tomar."}
    )
    turn = await until(scripted, accepted["id"], "saved", "failed")

    (call,) = next(turn["calls"] for turn in queue["turns"] if turn["id"] == accepted["id"])
    assert call == {"key": "1.a", "tool": "get_weather", "arguments": {"place": "Tomar"}, "for_client": True}
    assert (approved, "its client makes it" in refusal["detail"], stranger) == (409, True, 404)
    assert (status, answered["calls"]) == (200, ["1.a"])
    assert turn["output"].strip() == "Rain in Tomar."
