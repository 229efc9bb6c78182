"""OpenAI's own client and its Responses API, in front of the whole stack."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import openai
import pytest

from tests.flow.openai.clients import client_of
from tests.stack import KEYS, ROOT, Stack

_PROGRAM = re.compile(r"^```python responses.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODEL = "pandora-direct"


async def respond(client: Any, text: object, **more: Any) -> Any:
    return await client.responses.create(model=MODEL, input=text, **more)


async def ended(client: Any, response: Any) -> Any:
    async with asyncio.timeout(30):
        while response.status in {"queued", "in_progress"}:
            await asyncio.sleep(0.05)
            response = await client.responses.retrieve(response.id)
    return response


def is_numbered(events: Sequence[Any], first: int = 0) -> bool:
    return [event.sequence_number for event in events] == list(range(first, first + len(events)))


def test_the_program_of_the_page_runs_as_it_stands(stack: Stack) -> None:
    (program,) = _PROGRAM.findall((ROOT / "docs/responses.md").read_text())
    program = program.replace("http://127.0.0.1:9000", stack.gateway_url).replace("any text", KEYS["alice"])

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=stack.data_dir, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "response.completed" in done.stdout
    assert "Tilda" in done.stdout.splitlines()[-1]


async def test_a_response_echoes_its_request_and_is_found_again(client: Any) -> None:
    said = {"instructions": "Be brief.", "metadata": {"a": "b"}, "temperature": 0.5, "user": "me"}
    made = await respond(client, f"The kite {uuid4().hex} is green.", max_output_tokens=500, **said)
    found = await client.responses.retrieve(made.id)

    assert made.status == "completed"
    assert made.output_text
    assert (made.instructions, made.metadata, made.temperature) == ("Be brief.", {"a": "b"}, 0.5)
    assert (made.model, made.max_output_tokens, made.store, made.error) == (MODEL, 500, True, None)
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens > 0
    assert found.completed_at >= found.created_at
    assert found.to_dict() == made.to_dict() | {"completed_at": found.completed_at}


async def test_a_conversation_goes_on_by_its_last_response_and_remembers(stack: Stack, client: Any) -> None:
    raw = client.responses.with_raw_response
    first = await raw.create(model=MODEL, input="My tent is called Olga.")
    second = await raw.create(
        model=MODEL, input="What is my tent called?", previous_response_id=first.parse().id
    )

    assert first.headers["x-pandora-session"] == second.headers["x-pandora-session"]
    assert "Olga" in second.parse().output_text
    assert second.parse().previous_response_id == first.parse().id


async def test_an_earlier_response_may_be_gone_on_from_and_the_later_ones_are_abandoned(
    stack: Stack, client: Any
) -> None:
    first = await respond(client, "My tent is called Olga.")
    left = await respond(client, "My stove is blue.", previous_response_id=first.id)
    other = await respond(client, "My stove is red.", previous_response_id=first.id)
    for response in (first, left, other):
        await stack.until_indexed(response.id.removeprefix("resp_"))

    rows = await stack.rows(
        "SELECT turn_id, abandoned FROM pandora.turns WHERE session_id = "
        "(SELECT session_id FROM pandora.turns WHERE turn_id = $1)",
        first.id.removeprefix("resp_"),
    )
    assert {f"resp_{row['turn_id']}": row["abandoned"] for row in rows} == {
        first.id: False,
        left.id: True,
        other.id: False,
    }


async def test_the_events_are_those_that_openais_client_waits_for(client: Any) -> None:
    async with client.responses.stream(model=MODEL, input=f"Hello {uuid4().hex}") as stream:
        events = [event async for event in stream]
        final = await stream.get_final_response()

    kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert is_numbered(events)
    spoken = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert spoken == final.output_text != ""


async def test_a_reader_goes_on_where_another_one_was_cut(client: Any) -> None:
    stream = await respond(client, f"Hello {uuid4().hex}", stream=True)
    events = [event async for event in stream]
    made = events[0].response.id
    for after in (0, 3, len(events) - 2):
        resumed = await client.responses.retrieve(made, stream=True, starting_after=after)
        rest = [event async for event in resumed]
        assert [one.to_dict() for one in rest] == [one.to_dict() for one in events[after + 1 :]]
    beyond = await client.responses.retrieve(made, stream=True, starting_after=len(events))

    assert [event async for event in beyond] == []


async def test_in_the_background_it_is_queued_and_ends(client: Any) -> None:
    begun = await respond(client, f"Hello {uuid4().hex}", background=True, metadata={"a": "b"})
    done = await ended(client, begun)
    stream = await client.responses.retrieve(begun.id, stream=True)
    events = [event async for event in stream]

    assert (begun.status, begun.background, begun.output) == ("queued", True, [])
    assert (done.status, done.background, done.metadata) == ("completed", True, {"a": "b"})
    assert [event.type for event in events[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    assert is_numbered(events)
    assert events[-1].response.output_text == done.output_text


async def test_what_was_said_is_listed_and_a_deleted_response_is_forgotten(stack: Stack, client: Any) -> None:
    number = f"Its number is {uuid4().hex}."
    said = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "I have a locker."},
        {"role": "user", "content": [{"type": "input_text", "text": number}]},
    ]
    made = await respond(client, said)
    items = await client.responses.input_items.list(made.id)
    await stack.until_indexed(made.id.removeprefix("resp_"))
    await client.responses.delete(made.id)

    (item,) = items.data
    assert (item.role, item.content[0].text) == ("user", f"I have a locker.\n{number}")
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match=made.id):
            await gone(made.id)


async def test_another_users_responses_are_not_there(stack: Stack, client: Any) -> None:
    made = await respond(client, "Hello")
    async with client_of(stack, "bob") as bob:
        for asked in (
            bob.responses.retrieve(made.id),
            bob.responses.retrieve(made.id, stream=True),
            bob.responses.cancel(made.id),
            bob.responses.delete(made.id),
            bob.responses.input_items.list(made.id),
            respond(bob, "Go on.", previous_response_id=made.id),
            respond(bob, "Go on.", conversation="conv_nowhere"),
        ):
            with pytest.raises(openai.NotFoundError):
                await asked


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]}, "tools"),
        ({"include": ["reasoning.encrypted_content"]}, "include"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"store": False, "session_id": "kitchen"}, "store"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"previous_response_id": "resp_1", "conversation": "conv_1"}, "previous_response_id"),
        ({"input": [{"type": "function_call_output", "call_id": "1", "output": "4"}]}, "input"),
        ({"input": [{"role": "developer", "content": "Be brief."}]}, "input"),
        ({"input": " "}, "input"),
    ],
)
async def test_what_a_turn_cannot_do_is_refused_by_name(
    client: Any, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post("/responses", body={"model": MODEL, "input": "Hello"} | more, cast_to=object)

    assert refused.value.param == param


async def test_a_model_of_the_engine_answers_and_nothing_is_stored(client: Any) -> None:
    said = {"model": "extractive", "input": "Hello?"}
    made = await client.responses.create(**said)
    stream = await client.responses.create(**said, stream=True)
    events = [event async for event in stream]

    assert (made.status, made.store) == ("completed", False)
    assert made.output_text == events[-1].response.output_text != ""
    assert is_numbered(events)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="without storing"):
        await client.responses.create(**said, background=True)


async def test_what_is_not_to_be_stored_is_answered_by_the_engine_alone(client: Any) -> None:
    made = await respond(client, "Hello?", store=False)

    assert (made.status, made.model, made.store) == ("completed", MODEL, False)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(made.id)


async def test_tokens_are_counted(client: Any) -> None:
    counted = await client.responses.input_tokens.count(model=MODEL, input="My boat is called Tilda.")

    assert (counted.object, counted.input_tokens > 3) == ("response.input_tokens", True)
