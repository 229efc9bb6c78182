"""What only the `openai` engine can get wrong, with a real server on the other side."""

from typing import Any

import pytest

from services.inference.openai.engine import OpenAiEngine
from services.inference.ports import Delta
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Message
from tests.contracts.inference.engines_room import PIXEL, SCHEMA, TEXT, ask, parts_of, settings_for
from tests.contracts.inference.engines_server import MODEL, ChatServer


async def test_openai_streams_the_very_text(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, finished = await parts_of(engine, ask(temperature=0.2))

    assert "".join(delta.text for delta in deltas) == TEXT
    assert finished.reason == "stop"
    assert server.bodies[0]["temperature"] == 0.2
    assert server.bodies[0]["model"] == MODEL
    assert "max_tokens" not in server.bodies[0]


@pytest.mark.parametrize("failure", [500, 503, 429, "drop", "error in stream"])
async def test_openai_tries_again_before_the_first_token(server: ChatServer, failure: int | str) -> None:
    server.script = [failure]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, _ = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == TEXT
    assert len(server.bodies) == 2


async def test_openai_hands_a_refusal_on(server: ChatServer) -> None:
    server.script = [400]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        with pytest.raises(Refused, match="scripted 400") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 400
    assert len(server.bodies) == 1


async def test_openai_hands_a_refusal_on_that_comes_as_a_stream(server: ChatServer) -> None:
    server.script = ["refusal in stream"]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        with pytest.raises(Refused, match="Grammar error") as refusal:
            await parts_of(engine, ask(schema={"type": "no such type"}))

    assert refusal.value.status == 400
    assert len(server.bodies) == 1


async def test_openai_does_not_blame_the_asker_for_its_own_key(server: ChatServer) -> None:
    server.script = [401]
    async with OpenAiEngine.connected(settings_for(server, openai_api_key="secret")) as engine:
        with pytest.raises(Refused, match="OPENAI_API_KEY") as refusal:
            await parts_of(engine, ask())

    assert refusal.value.status == 502
    assert server.headers[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(("step", "status"), [("drop mid-stream", 502), ("silence mid-stream", 504)])
async def test_openai_never_starts_over_after_the_first_token(
    server: ChatServer, step: str, status: int
) -> None:
    server.script = [step]
    async with OpenAiEngine.connected(settings_for(server, openai_token_timeout_seconds=0.2)) as engine:
        stream = engine.generate(ask())
        seen = [await anext(stream), await anext(stream)]
        with pytest.raises(Refused, match="after 2 tokens") as refusal:
            await anext(stream)

    assert refusal.value.status == status
    assert all(isinstance(part, Delta) for part in seen)
    assert len(server.bodies) == 1


async def test_openai_counts_chunks_where_the_server_does_not_count(server: ChatServer) -> None:
    server.counts_tokens = False
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, finished = await parts_of(engine, ask())

    assert finished.usage.output_tokens == len(deltas) == len(TEXT.split())


async def test_openai_is_not_ready_while_its_server_is_away(server: ChatServer) -> None:
    server.url = "http://127.0.0.1:9/v1"
    async with OpenAiEngine.connected(settings_for(server, openai_retries=0)) as engine:
        with pytest.raises(Transient, match="not reachable"):
            await engine.check()
        with pytest.raises(Transient, match="not reachable"):
            await parts_of(engine, ask())


async def test_openai_learns_the_context_length_and_keeps_the_default_first(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server, model="parrot-2")) as engine:
        assert await engine.models() == ["parrot-2", MODEL]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        assert await engine.models() == [MODEL, "parrot-2"]
        assert engine.context_tokens == 4096


async def test_openai_uses_a_connection_again(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        for _ in range(3):
            await parts_of(engine, ask())
        connector: Any = engine._http.connector

        assert sum(len(free) for free in connector._conns.values()) == 1


# --- answers that follow a schema --------------------------------------------------------------------------


async def test_openai_asks_for_the_schema(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        await parts_of(engine, ask(schema=SCHEMA))

    assert server.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Verdict", "schema": SCHEMA, "strict": True},
    }


async def test_openai_puts_the_schema_into_the_prompt_of_a_server_that_takes_none(server: ChatServer) -> None:
    server.takes_schemas = False
    server.answer = '{"decision": "approve"}'
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, finished = await parts_of(engine, ask(schema=SCHEMA))

    assert "".join(delta.text for delta in deltas) == server.answer
    assert finished.reason == "stop"
    assert [body["response_format"]["type"] for body in server.bodies] == ["json_schema", "json_object"]
    told = server.bodies[1]["messages"][0]
    assert told["role"] == "system"
    assert '"reasons"' in told["content"]


async def test_openai_adds_the_schema_to_the_system_message_that_is_there(server: ChatServer) -> None:
    server.takes_schemas = False
    request = ask(schema=SCHEMA, messages=[Message("system", "Be brief."), Message("user", "Well?")])
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        await parts_of(engine, request)

    system, user = server.bodies[1]["messages"]
    assert system["content"].startswith("Be brief.\n\nAnswer with one JSON object")
    assert user == {"role": "user", "content": "Well?"}


async def test_openai_hands_on_a_refusal_of_something_else_than_the_schema(server: ChatServer) -> None:
    server.script = [400]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        with pytest.raises(Refused, match="scripted 400"):
            await parts_of(engine, ask(schema=SCHEMA))

    assert len(server.bodies) == 1


# --- thinking, images, figures -----------------------------------------------------------------------------


@pytest.mark.parametrize("thinking", [True, False])
async def test_openai_says_whether_to_think_only_where_it_was_asked(
    server: ChatServer, thinking: bool
) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        await parts_of(engine, ask(thinking=thinking))
        await parts_of(engine, ask())

    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": thinking}
    assert "chat_template_kwargs" not in server.bodies[1]


async def test_openai_leaves_out_what_the_model_thinks(server: ChatServer) -> None:
    server.script = ["think"]
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, _ = await parts_of(engine, ask())

    assert "".join(delta.text for delta in deltas) == TEXT


async def test_openai_leaves_out_a_thought_that_the_server_sends_as_text(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        deltas, _ = await parts_of(engine, ask("<think> Where is she? </think> In Lisbon."))

    assert "".join(delta.text for delta in deltas) == "In Lisbon."


async def test_openai_sends_images_beside_the_words(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        await parts_of(engine, ask(messages=[Message("system", "Look."), Message("user", "What?", [PIXEL])]))

    assert server.bodies[0]["messages"] == [
        {"role": "system", "content": "Look."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": PIXEL}},
            ],
        },
    ]


async def test_openai_tells_what_the_server_had_in_its_cache(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        _, silent = await parts_of(engine, ask())
        server.cached_tokens = 16
        _, told = await parts_of(engine, ask())

    assert (silent.usage.cached_tokens, told.usage.cached_tokens) == (0, 16)


# --- counting tokens ---------------------------------------------------------------------------------------


async def test_openai_counts_by_the_servers_tokenizer(server: ChatServer) -> None:
    async with OpenAiEngine.connected(settings_for(server)) as engine:
        counted = await engine.count_tokens(["one", "two words", ""], None)

    assert (counted.counts, counted.exact) == ([1, 2, 0], True)


async def test_openai_estimates_where_the_server_has_no_tokenizer_and_asks_it_no_more(
    server: ChatServer,
) -> None:
    server.tokenizes = False
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        for _ in range(3):
            counted = await engine.count_tokens(["four", "fives"], None)

    assert (counted.counts, counted.exact) == ([1, 2], False)
    assert server.tokenized == 1


async def test_openai_estimates_while_its_server_is_away(server: ChatServer) -> None:
    server.url = "http://127.0.0.1:9/v1"
    async with OpenAiEngine.connected(settings_for(server, model=MODEL)) as engine:
        counted = await engine.count_tokens(["four"], None)

    assert (counted.counts, counted.exact) == ([1], False)
