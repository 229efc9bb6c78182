"""Tools of a client, with a model of the engine: offered, called, and answered."""

import json
from typing import Any

import openai
import pytest

from tests.contracts.gateway.gateway_room import Client
from tests.contracts.gateway.openai_programs import output_of
from tests.contracts.inference.engines_server import ChatServer
from tests.contracts.inference.raw_answers import DONE, RawAnswer, choice, event, stream

FIND = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Finds a person.",
        "parameters": {"type": "object", "properties": {"who": {"type": "string"}}},
        "strict": True,
    },
}
ASK = {"role": "user", "content": "Where are Mira and Tomas?"}


def call(index: int, who: str, call_id: str) -> dict[str, Any]:
    arguments = json.dumps({"who": who})
    return {"index": index, "id": call_id, "function": {"name": "find", "arguments": arguments}}


def calling(*calls: dict[str, Any], text: str | None = None) -> RawAnswer:
    pieces = [event(choice({"content": text, "tool_calls": [one]})) for one in calls]
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 8}}
    return stream(*pieces, event(choice({}, "tool_calls")), event(usage), DONE)


BOTH = calling(call(0, "Mira", "call_a"), call(1, "Tomas", "call_b"))


async def test_calls_come_whole_with_their_ids(server: ChatServer, raw: Any) -> None:
    server.script = [BOTH]

    completion = await raw.chat.completions.create(
        model="parrot", messages=[ASK], tools=[FIND], tool_choice="required", parallel_tool_calls=True
    )

    told = {"tools": [FIND], "tool_choice": "required", "parallel_tool_calls": True}
    assert told.items() <= server.bodies[0].items()
    said = completion.choices[0]
    assert (said.finish_reason, said.message.content) == ("tool_calls", None)
    assert [(one.id, one.type, one.function.name) for one in said.message.tool_calls] == [
        ("call_a", "function", "find"),
        ("call_b", "function", "find"),
    ]
    assert json.loads(said.message.tool_calls[1].function.arguments) == {"who": "Tomas"}
    assert completion.usage.completion_tokens == 8


async def test_a_stream_has_each_call_with_its_index_and_its_id(server: ChatServer, raw: Any) -> None:
    server.script = [calling(call(0, "Mira", "call_a"), call(1, "Tomas", "call_b"), text="Let me look. ")]

    chunks = await raw.chat.completions.create(
        model="parrot", messages=[ASK], tools=[FIND], stream=True, stream_options={"include_usage": True}
    )
    *said, last, usage = [chunk async for chunk in chunks]

    deltas = [chunk.choices[0].delta for chunk in said]
    calls = [one for delta in deltas for one in delta.tool_calls or []]
    assert "".join(delta.content or "" for delta in deltas) == "Let me look. Let me look. "
    assert [(one.index, one.id, one.function.name) for one in calls] == [
        (0, "call_a", "find"),
        (1, "call_b", "find"),
    ]
    assert last.choices[0].finish_reason == "tool_calls"
    assert usage.choices == []


async def test_the_helper_of_the_stock_client_puts_the_stream_together(server: ChatServer, raw: Any) -> None:
    server.script = [BOTH]
    async with raw.chat.completions.stream(model="parrot", messages=[ASK], tools=[FIND]) as events:
        completion = await events.get_final_completion()

    called = completion.choices[0].message.tool_calls
    assert [one.function.parsed_arguments for one in called] == [{"who": "Mira"}, {"who": "Tomas"}]


async def test_the_results_of_tools_go_back_to_the_model(server: ChatServer, raw: Any) -> None:
    server.script = [BOTH]
    first = await raw.chat.completions.create(model="parrot", messages=[ASK], tools=[FIND])
    called = first.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": one.id, "content": [{"type": "text", "text": "In Riga."}]}
        for one in called.tool_calls
    ]

    second = await raw.chat.completions.create(model="parrot", messages=[ASK, called, *results], tools=[FIND])

    assert second.choices[0].message.content == "In Riga."
    _, assistant, *told = server.bodies[1]["messages"]
    assert assistant["content"] is None
    assert [one["id"] for one in assistant["tool_calls"]] == ["call_a", "call_b"]
    assert told == [
        {"role": "tool", "tool_call_id": call_id, "content": "In Riga."} for call_id in ("call_a", "call_b")
    ]


async def test_one_tool_can_be_asked_for_by_its_name(server: ChatServer, raw: Any) -> None:
    named = {"type": "function", "function": {"name": "find"}}
    await raw.chat.completions.create(model="parrot", messages=[ASK], tools=[FIND], tool_choice=named)

    assert server.bodies[0]["tool_choice"] == named


async def test_the_program_of_the_page_has_its_tool_called(server: ChatServer, raw_client: Client) -> None:
    riga = {"function": {"name": "weather", "arguments": '{"city": "Riga"}'}}
    server.script = [calling(riga)]

    assert await output_of("tools.py", raw_client) == 'weather {"city": "Riga"}\n12 degrees\n'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tool_choice", "find"),
        ("tool_choice", {"type": "function", "function": {"name": "fly"}}),
        ("tool_choice", {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}),
        ("messages", [ASK, {"role": "tool", "content": "In Riga."}]),
        ("messages", [ASK, {"role": "assistant", "tool_calls": [{"type": "custom", "id": "1"}]}]),
    ],
)
async def test_what_cannot_be_called_is_refused_by_name(
    server: ChatServer, raw: Any, field: str, value: Any
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await raw.chat.completions.create(
            **{"model": "parrot", "messages": [ASK], "tools": [FIND], field: value}
        )

    assert refused.value.param == field
    assert server.bodies == []


async def test_a_choice_among_no_tools_is_refused_by_name(server: ChatServer, raw: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await raw.chat.completions.create(model="parrot", messages=[ASK], tool_choice={"unknown": {}})

    assert refused.value.param == "tool_choice"
    assert server.bodies == []
