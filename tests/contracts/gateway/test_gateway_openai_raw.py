"""Chats with a model of the engine: a real inference worker, in front of an OpenAI-compatible server."""

import asyncio
import json
from typing import Any

import openai
import pytest

from shared.bus.connection import Bus
from tests.contracts.gateway.gateway_room import Client
from tests.contracts.inference.engines_room import PIXEL, SCHEMA
from tests.contracts.inference.engines_server import ChatServer
from tests.contracts.inference.raw_answers import DONE, END, stream
from tests.servers.nats import state

ASK = {"role": "user", "content": "Say this back to me"}


async def until_idle(server: ChatServer, left_early: int) -> None:
    async with asyncio.timeout(20):
        while server.running or server.left_early < left_early:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until_running(server: ChatServer) -> None:
    async with asyncio.timeout(20):
        while not server.running:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_model_gets_the_whole_chat_and_nothing_is_stored(
    bus: Bus, server: ChatServer, raw: Any
) -> None:
    setup = {"role": "developer", "content": "Be brief."}
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    history = [setup, ASK, {"role": "assistant", "content": "No."}]
    last = {"role": "user", "content": [{"type": "text", "text": "one two three"}, image]}

    completion = await raw.chat.completions.create(
        model="parrot", messages=[*history, last], temperature=0.5, max_completion_tokens=2
    )

    sent = server.bodies[-1]
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][-1]["content"][1]["image_url"]["url"] == PIXEL
    assert (sent["temperature"], sent["max_tokens"]) == (0.5, 2)
    choice = completion.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("one two", "length")
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + 2
    assert [(await state(bus, stream)).messages for stream in ("TURNS", "LIVE", "KV_chats")] == [0, 0, 0]


async def test_a_stream_is_the_answer_word_by_word(server: ChatServer, raw: Any) -> None:
    server.word_seconds = 0.02
    stream = await raw.chat.completions.create(
        model="parrot", messages=[ASK], stream=True, stream_options={"include_usage": True}
    )
    first, *chunks, last, usage = [chunk async for chunk in stream]

    assert first.choices[0].delta.role == "assistant"
    assert len(chunks) > 1
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == ASK["content"]
    assert last.choices[0].finish_reason == "stop"
    assert (usage.choices, usage.usage.completion_tokens) == ([], 5)


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"n": 2}])
async def test_each_answer_says_how_long_it_took(raw_client: Client, more: dict[str, Any]) -> None:
    body = {"model": "parrot", "messages": [ASK], **more}
    async with raw_client.open("POST", "/v1/chat/completions", body) as response:
        assert int(response.headers["openai-processing-ms"]) >= 0


@pytest.mark.parametrize("streams", [False, True])
async def test_the_engine_stops_when_its_client_leaves(
    server: ChatServer, raw_client: Client, streams: bool
) -> None:
    server.word_seconds = 0.05
    body = {"model": "parrot", "messages": [{"role": "user", "content": "word " * 2000}], "stream": streams}
    asked = asyncio.create_task(raw_client.call("POST", "/v1/chat/completions", body))
    await until_running(server)

    asked.cancel()

    await until_idle(server, left_early=1)


async def test_json_follows_the_schema_that_the_client_sends(server: ChatServer, raw: Any) -> None:
    server.answer = json.dumps({"decision": "approve", "reasons": []})
    untitled = {name: value for name, value in SCHEMA.items() if name != "title"}
    # As the Vercel AI SDK sends it.
    named = {"name": "verdict", "description": "What to do.", "schema": untitled, "strict": False}

    completion = await raw.chat.completions.create(
        model="parrot", messages=[ASK], response_format={"type": "json_schema", "json_schema": named}
    )
    await raw.chat.completions.create(model="parrot", messages=[ASK], response_format={"type": "json_object"})

    assert completion.choices[0].message.content == server.answer
    first, second = (body["response_format"] for body in server.bodies)
    told = {"title": "verdict", "description": "What to do.", **untitled}
    assert first["json_schema"] == {"name": "verdict", "schema": told, "strict": False}
    assert second == {"type": "json_object"}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", ["gpt-9", "pandora-none"])
async def test_an_unknown_model_is_404_before_a_stream_begins(raw: Any, model: str, streams: bool) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await raw.chat.completions.create(model=model, messages=[ASK], stream=streams)

    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


async def test_an_engine_that_breaks_off_is_an_error_in_the_stream(server: ChatServer, raw: Any) -> None:
    server.script = ["drop mid-stream"]
    server.word_seconds = 0.05
    stream = await raw.chat.completions.create(model="parrot", messages=[ASK], stream=True)

    with pytest.raises(openai.APIError) as broken:
        [chunk async for chunk in stream]

    assert broken.value.type == "server_error"


FIELDS = {
    "stop": ["\n", "END"],
    "top_p": 0.5,
    "seed": 0,
    "frequency_penalty": 0.25,
    "presence_penalty": -0.5,
}


async def test_how_the_answer_is_sampled_is_told_to_the_engine(server: ChatServer, raw: Any) -> None:
    await raw.chat.completions.create(model="parrot", messages=[ASK], **FIELDS)
    await raw.chat.completions.create(model="parrot", messages=[ASK], stop="END")

    assert FIELDS.items() <= server.bodies[0].items()
    assert server.bodies[1]["stop"] == ["END"]
    assert not FIELDS.keys() - {"stop"} & server.bodies[1].keys()


async def test_an_answer_that_stops_before_its_first_word_is_empty(server: ChatServer, raw: Any) -> None:
    server.script = [stream(END, DONE)]

    completion = await raw.chat.completions.create(model="parrot", messages=[ASK], stop="Say")

    assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == ("", "stop")


@pytest.mark.parametrize(
    "field",
    [
        {"n": 2},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"logit_bias": {"7": 1}},
        {"top_p": 2},
        {"stop": [""]},
        {"presence_penalty": 3},
        {"web_search_options": {"search_context_size": "low"}},
        {"functions": [{"name": "find"}]},
        {"tools": [{"type": "custom", "custom": {"name": "find"}}]},
        {"tool_choice": "required"},
        {"response_format": {"type": "json_schema"}},
    ],
)
async def test_what_an_engine_cannot_do_is_refused_by_name(
    server: ChatServer, raw: Any, field: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await raw.chat.completions.create(model="parrot", messages=[ASK], **field)

    assert refused.value.param in field
    assert server.bodies == []
