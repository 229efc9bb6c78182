"""OpenAI's own client in front of the whole stack: its chats are turns with memory."""

import asyncio
import re
import subprocess
import sys
from typing import Any
from uuid import uuid4

import openai
import pytest

from tests.flow.openai.clients import client_of
from tests.stack import KEYS, ROOT, Stack

_PROGRAM = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = dict(_PROGRAM.findall((ROOT / "docs/clients.md").read_text()))
MODEL = "pandora-direct"
Messages = list[dict[str, Any]]


async def say(client: Any, messages: Messages, **more: Any) -> tuple[str, str, Messages]:
    """Returns the session, the turn, and the conversation with its answer."""
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=messages, **more)
    answer = raw.parse().choices[0].message
    said = [*messages, {"role": "assistant", "content": answer.content}]
    return raw.headers["x-pandora-session"], raw.headers["x-pandora-turn"], said


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def test_the_program_of_the_page_runs_as_it_stands(stack: Stack, client: Any) -> None:
    _, turn, _ = await say(client, [user("My boat is called Tilda.")])
    await stack.until_indexed(turn)
    program = PROGRAMS["ask.py"].replace("http://127.0.0.1:9000", stack.gateway_url)
    program = program.replace("any text", KEYS["alice"])

    done = subprocess.run(  # noqa: ASYNC221 - it ends within seconds
        [sys.executable, "-c", program], cwd=stack.data_dir, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "Tilda" in done.stdout


async def test_a_conversation_that_grows_is_one_session_and_each_turn_is_indexed_once(
    stack: Stack, client: Any
) -> None:
    word = uuid4().hex
    setup = {"role": "system", "content": "The time is 10:00."}

    session, first, said = await say(client, [setup, user(f"The code of gate {word} is 4711.")])
    again, second, said = await say(client, [*said, user("Thank you for that.")])
    third, last, _ = await say(
        client,
        [{"role": "system", "content": "10:05."}, *said[1:], user(f"What is the code of gate {word}?")],
    )

    assert session == again == third
    for turn in (first, second, last):
        await stack.until_indexed(turn)
    rows = await stack.rows("SELECT turn_id FROM pandora.turns WHERE session_id = $1", session)
    assert {row["turn_id"] for row in rows} == {first, second, last}
    assert len(rows) == 3


async def test_it_remembers_across_conversations(stack: Stack, client: Any) -> None:
    word = uuid4().hex
    session, turn, _ = await say(client, [user(f"My locker {word} has the number 93.")])
    await stack.until_indexed(turn)

    other, _, said = await say(client, [user(f"Which number has my locker {word}?")])

    assert other != session
    assert "93" in said[-1]["content"]


async def test_the_same_first_message_of_two_users_is_two_sessions(stack: Stack) -> None:
    words = [user(f"Hello {uuid4().hex}")]
    async with client_of(stack) as alice, client_of(stack, "bob") as bob:
        hers, _, said = await say(alice, words)
        his, _, _ = await say(bob, words)
        next_of_his, _, _ = await say(bob, [*said, user("And now?")])

    assert hers != his
    assert next_of_his == his


async def test_two_conversations_that_begin_alike_go_on_apart(client: Any) -> None:
    word = uuid4().hex
    one, _, said_one = await say(client, [user(f"Say {word}")])
    await say(client, [user(f"{word} is a word.")])
    two, _, said_two = await say(client, [user(f"Say {word}")])

    assert one != two
    if said_one != said_two:
        assert (await say(client, [*said_one, user("Go on.")]))[0] == one
    assert (await say(client, [*said_two, user("Go on.")]))[0] == two


async def test_a_conversation_whose_session_is_forgotten_is_a_new_one(stack: Stack, client: Any) -> None:
    session, turn, said = await say(client, [user(f"Hello {uuid4().hex}")])
    await stack.until_indexed(turn)

    status, receipt = await stack.call("DELETE", f"/v1/sessions/{session}")
    async with asyncio.timeout(60):
        while receipt["state"] == "pending":
            await asyncio.sleep(0.1)
            _, receipt = await stack.call("GET", f"/v1/users/me/forgets/{receipt['forget_id']}")

    assert status in {200, 202}
    assert (await say(client, [*said, user("Go on.")]))[0] != session


@pytest.mark.parametrize("way", ["header", "field"])
async def test_a_client_may_name_the_session(client: Any, way: str) -> None:
    name = f"named-{uuid4()}"
    more: dict[str, Any] = (
        {"extra_headers": {"X-Pandora-Session": name}}
        if way == "header"
        else {"extra_body": {"session_id": name}}
    )

    assert (await say(client, [user("Hello")], **more))[0] == name


async def test_a_busy_session_answers_one_after_the_other(stack: Stack, client: Any) -> None:
    name = {"X-Pandora-Session": f"busy-{uuid4()}"}
    said = await asyncio.gather(
        *(say(client, [user(f"Number {number}")], extra_headers=name) for number in range(6))
    )

    assert len({turn for _, turn, _ in said}) == 6


async def test_a_stream_has_the_role_the_words_the_reason_and_the_usage(client: Any) -> None:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[user(f"Hello {uuid4().hex}")],
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last, usage = [chunk async for chunk in stream]

    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content for chunk in chunks)
    assert [chunk.usage for chunk in [*chunks, last]] == [None] * (len(chunks) + 1)
    assert last.choices[0].finish_reason == "stop"
    assert usage.choices == []
    assert usage.usage.total_tokens == usage.usage.prompt_tokens + usage.usage.completion_tokens > 0
    assert len({chunk.id for chunk in [*chunks, last, usage]}) == 1


async def test_a_stream_without_options_has_no_usage(client: Any) -> None:
    stream = await client.chat.completions.create(model=MODEL, messages=[user("Hello")], stream=True)
    chunks = [chunk async for chunk in stream]

    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_the_turn_goes_on_without_its_client(stack: Stack, client: Any) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user(f"The kite {uuid4().hex} is green.")], stream=True
    )
    await raw.parse().close()

    await stack.until_indexed(raw.headers["x-pandora-turn"])


@pytest.mark.parametrize("field", [{"n": 2}, {"stop": ["."]}, {"logprobs": True}])
async def test_what_a_turn_cannot_do_is_refused_by_name(client: Any, field: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(model=MODEL, messages=[user("Hello")], **field)

    assert refused.value.param in field
    assert refused.value.message.count(MODEL)


async def test_a_model_of_the_engine_answers_without_a_turn(client: Any) -> None:
    names = [model.id async for model in client.models.list()]
    raw = await client.chat.completions.with_raw_response.create(
        model="extractive", messages=[user("Hello?")]
    )

    assert {"pandora", MODEL, "extractive"} <= set(names)
    assert raw.parse().choices[0].message.content
    assert "x-pandora-turn" not in raw.headers
