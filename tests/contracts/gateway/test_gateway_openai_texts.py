"""Legacy completions: a model of the engine goes on with a text."""

import asyncio
from typing import Any

import openai
import pytest

from tests.contracts.gateway.gateway_room import Client
from tests.contracts.gateway.openai_programs import output_of
from tests.contracts.inference.engines_server import ChatServer
from tests.contracts.inference.raw_answers import DONE, END, choice, event, stream

PROMPT = "def add(a, b): return"


async def test_the_model_gets_the_text_letter_by_letter(server: ChatServer, raw: Any) -> None:
    # As Continue asks for a completion in the editor.
    asked = {"prompt": PROMPT, "max_tokens": 2, "temperature": 0.01, "stop": ["\n\n"], "top_p": 0.5}

    completion = await raw.completions.create(model="parrot", **asked)

    assert asked.items() <= server.prompts[0].items()
    assert "messages" not in server.prompts[0]
    said = completion.choices[0]
    assert (completion.object, said.text, said.finish_reason) == ("text_completion", "def add(a,", "length")
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + 2


async def test_a_text_comes_word_by_word_and_its_usage_last(server: ChatServer, raw: Any) -> None:
    server.word_seconds = 0.02
    *chunks, last, usage = [
        chunk
        async for chunk in await raw.completions.create(
            model="parrot", prompt=[PROMPT], stream=True, stream_options={"include_usage": True}
        )
    ]

    assert len(chunks) > 1
    assert "".join(chunk.choices[0].text for chunk in chunks) == PROMPT
    assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}
    assert (last.choices[0].finish_reason, last.usage) == ("stop", None)
    assert (usage.choices, usage.usage.completion_tokens) == ([], 4)


async def test_the_program_of_the_page_goes_on_with_a_text(raw_client: Client) -> None:
    assert await output_of("go_on.py", raw_client) == "def add(a, b):"


async def test_without_a_limit_a_text_has_the_sixteen_tokens_of_openai(server: ChatServer, raw: Any) -> None:
    completion = await raw.completions.create(model="parrot", prompt="word " * 40)

    assert server.prompts[0]["max_tokens"] == 16
    assert completion.choices[0].finish_reason == "length"


async def test_nothing_may_follow_a_text(server: ChatServer, raw: Any) -> None:
    server.script = [stream(END, DONE)]

    completion = await raw.completions.create(model="parrot", prompt="The end.")

    assert (completion.choices[0].text, completion.choices[0].finish_reason) == ("", "stop")


async def test_what_looks_like_a_thought_is_text(server: ChatServer, raw: Any) -> None:
    completion = await raw.completions.create(model="parrot", prompt=" <think> Hm. </think>")

    assert completion.choices[0].text == " <think> Hm. </think>"


async def test_an_editor_that_goes_on_typing_stops_the_engine(server: ChatServer, raw_client: Client) -> None:
    server.word_seconds = 0.05
    body = {"model": "parrot", "prompt": "word " * 2000, "max_tokens": 2000, "stream": True}
    asked = asyncio.create_task(raw_client.call("POST", "/v1/completions", body))
    async with asyncio.timeout(20):
        while not server.running:  # noqa: ASYNC110  # another task of HTTP changes it
            await asyncio.sleep(0.02)

        asked.cancel()

        while server.running:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)
    assert server.left_early == 1


async def test_a_text_that_breaks_off_is_an_error_in_the_stream(server: ChatServer, raw: Any) -> None:
    server.script = [stream(event(choice({"content": "return"})), drops=True)]
    chunks = await raw.completions.create(model="parrot", prompt=PROMPT, stream=True)

    with pytest.raises(openai.APIError) as broken:
        [chunk async for chunk in chunks]

    assert broken.value.type == "server_error"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", [1, 2, 3]),
        ("prompt", [[1, 2]]),
        ("prompt", ["one", "two"]),
        ("prompt", []),
        ("suffix", "}"),
        ("echo", True),
        ("n", 2),
        ("best_of", 3),
        ("logprobs", 2),
        ("logit_bias", {"7": 1}),
        ("max_tokens", 0),
        ("model", "pandora-direct"),
    ],
)
async def test_what_no_text_can_have_is_refused_by_name(
    server: ChatServer, raw: Any, field: str, value: Any
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await raw.completions.create(**{"model": "parrot", "prompt": PROMPT, field: value})

    assert refused.value.param == field
    assert server.prompts == []


async def test_a_text_for_an_unknown_model_is_404(raw: Any) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await raw.completions.create(model="gpt-9", prompt=PROMPT)

    assert refused.value.code == "model_not_found"
