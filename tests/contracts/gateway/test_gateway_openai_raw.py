"""Chats with a model of the engine: a real inference worker, in front of an OpenAI-compatible server."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from services.inference.openai.engine import OpenAiEngine
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from tests.contracts.gateway.gateway_room import KEYS, Client, Orchestrator, gateway_over_http
from tests.contracts.inference.engines_room import PIXEL, SCHEMA, settings_for
from tests.contracts.inference.engines_server import ChatServer, chat_server
from tests.servers.nats import bus_to, state
from tests.unit.inference.inference_room import serve

ASK = {"role": "user", "content": "Say this back to me"}


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with chat_server() as running:
        yield running


@pytest.fixture
async def client(bus: Bus, url: str, server: ChatServer) -> AsyncIterator[Client]:
    async with (
        OpenAiEngine.connected(settings_for(server, model="parrot")) as engine,
        bus_to(url, "inference") as worker,
        bus_to(url, "orchestrator") as orchestrator,
        gateway_over_http(bus) as connected,
    ):
        await serve(worker, engine)
        await orchestrator.serve("its recipes", endpoints_of(Orchestrator()))
        yield connected


@pytest.fixture
async def stock(client: Client) -> AsyncIterator[Any]:
    """OpenAI's own client. Without retries: each refusal is seen."""
    async with openai.AsyncOpenAI(
        base_url=f"{client.url}/v1", api_key=KEYS["alice"], max_retries=0
    ) as connected:
        yield connected


async def until_idle(server: ChatServer, left_early: int) -> None:
    async with asyncio.timeout(20):
        while server.running or server.left_early < left_early:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until_running(server: ChatServer) -> None:
    async with asyncio.timeout(20):
        while not server.running:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_model_gets_the_whole_chat_and_nothing_is_stored(
    bus: Bus, server: ChatServer, stock: Any
) -> None:
    setup = {"role": "developer", "content": "Be brief."}
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    history = [setup, ASK, {"role": "assistant", "content": "No."}]
    last = {"role": "user", "content": [{"type": "text", "text": "one two three"}, image]}

    completion = await stock.chat.completions.create(
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


async def test_a_stream_is_the_answer_word_by_word(server: ChatServer, stock: Any) -> None:
    server.word_seconds = 0.02
    stream = await stock.chat.completions.create(
        model="parrot", messages=[ASK], stream=True, stream_options={"include_usage": True}
    )
    first, *chunks, last, usage = [chunk async for chunk in stream]

    assert first.choices[0].delta.role == "assistant"
    assert len(chunks) > 1
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == ASK["content"]
    assert last.choices[0].finish_reason == "stop"
    assert (usage.choices, usage.usage.completion_tokens) == ([], 5)


@pytest.mark.parametrize("streams", [False, True])
async def test_the_engine_stops_when_its_client_leaves(
    server: ChatServer, client: Client, streams: bool
) -> None:
    server.word_seconds = 0.05
    body = {"model": "parrot", "messages": [{"role": "user", "content": "word " * 2000}], "stream": streams}
    asked = asyncio.create_task(client.call("POST", "/v1/chat/completions", body))
    await until_running(server)

    asked.cancel()

    await until_idle(server, left_early=1)


async def test_json_follows_the_schema_that_the_client_sends(server: ChatServer, stock: Any) -> None:
    server.answer = json.dumps({"decision": "approve", "reasons": []})
    form = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": SCHEMA, "strict": True}}

    completion = await stock.chat.completions.create(model="parrot", messages=[ASK], response_format=form)
    await stock.chat.completions.create(
        model="parrot", messages=[ASK], response_format={"type": "json_object"}
    )

    assert completion.choices[0].message.content == server.answer
    first, second = (body["response_format"]["json_schema"]["schema"] for body in server.bodies)
    assert (first, second) == (SCHEMA, {"type": "object"})


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", ["gpt-9", "pandora-none"])
async def test_an_unknown_model_is_404_before_a_stream_begins(stock: Any, model: str, streams: bool) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await stock.chat.completions.create(model=model, messages=[ASK], stream=streams)

    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


async def test_an_engine_that_breaks_off_is_an_error_in_the_stream(server: ChatServer, stock: Any) -> None:
    server.script = ["drop mid-stream"]
    server.word_seconds = 0.05
    stream = await stock.chat.completions.create(model="parrot", messages=[ASK], stream=True)

    with pytest.raises(openai.APIError) as broken:
        [chunk async for chunk in stream]

    assert broken.value.type == "server_error"


@pytest.mark.parametrize(
    "field",
    [
        {"stop": "x"},
        {"top_p": 0.5},
        {"seed": 0},
        {"n": 2},
        {"tools": [{"type": "function"}]},
        {"logprobs": True},
    ],
)
async def test_what_engines_are_not_told_is_refused_by_name(
    server: ChatServer, stock: Any, field: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await stock.chat.completions.create(model="parrot", messages=[ASK], **field)

    assert refused.value.param in field
    assert server.bodies == []


async def test_results_of_tools_are_refused(stock: Any) -> None:
    result = {"role": "tool", "content": "4", "tool_call_id": "1"}
    with pytest.raises(openai.BadRequestError) as refused:
        await stock.chat.completions.create(model="parrot", messages=[ASK, result])

    assert refused.value.param == "messages"
