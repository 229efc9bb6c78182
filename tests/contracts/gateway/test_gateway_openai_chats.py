"""Chat completions by turns, where answers come late, twice, in another form, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from shared.bus.connection import Bus
from shared.contract.events import (
    Cancelled,
    Failed,
    LiveEvent,
    OutputDelta,
    OutputRestarted,
)
from tests.contracts.gateway.gateway_room import KEYS, Client
from tests.contracts.gateway.openai_room import (
    HELLO,
    PATH,
    STREAM,
    answer,
    answered,
    chats_over_http,
    events_in,
    of,
    requested,
    saved,
    send,
)
from tests.servers.nats import state
from tests.servers.proxy import proxy_to


@pytest.fixture
async def client(bus: Bus, url: str) -> AsyncIterator[Client]:
    async with chats_over_http(bus, url) as connected:
        yield connected


async def test_the_answer_of_a_turn_is_a_completion(bus: Bus, client: Client) -> None:
    completion = await answered(bus, client, HELLO | {"metadata": {"a": "b"}, "temperature": 0.1}, 1)

    (turn,) = await requested(bus, 1)
    assert (turn.user, turn.input, turn.recipe, turn.metadata) == ("alice", "Hello", "direct", {"a": "b"})
    assert completion.pop("created") > 0
    assert completion == {
        "id": f"chatcmpl-{turn.turn_id}",
        "object": "chat.completion",
        "model": "pandora-direct",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Good day", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 1},
        },
    }


# --- sent again ---


async def test_a_request_that_was_cut_off_and_is_repeated_is_one_turn(bus: Bus, client: Client) -> None:
    asked = asyncio.create_task(client.call("POST", PATH, HELLO))
    await requested(bus, 1)
    asked.cancel()
    completion = await answered(bus, client, HELLO, 1)

    (turn,) = await requested(bus, 1)
    assert completion["id"] == f"chatcmpl-{turn.turn_id}"


async def test_a_stream_that_was_left_and_is_opened_again_begins_at_its_begin(
    bus: Bus, client: Client
) -> None:
    async with client.open("POST", PATH, STREAM) as left:
        (turn,) = await requested(bus, 1)
        await send(bus, turn, OutputDelta(index=0, text="Good "))
        await left.content.readuntil(b"Good ")
    async with client.open("POST", PATH, STREAM) as response:
        await send(bus, turn, OutputDelta(index=1, text="day"), saved(turn, "Good day", 2))
        *chunks, last, done = await events_in(response)

    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "Good day"
    assert (last["choices"][0]["finish_reason"], done) == ("stop", "[DONE]")
    assert len(await requested(bus, 1)) == 1


async def test_openais_own_client_whose_connection_is_cut_gets_the_answer_of_one_turn(
    bus: Bus, client: Client
) -> None:
    async with (
        proxy_to(urlsplit(client.url).port or 0) as proxy,
        openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{proxy.port}/v1", api_key=KEYS["alice"], max_retries=5
        ) as stock,
    ):
        asked = asyncio.create_task(stock.chat.completions.create(**HELLO))
        await requested(bus, 1)
        proxy.cut()  # It is accepted, and the client does not know.
        turn = await answer(bus, 1)
        proxy.heal()
        completion = await asked

    assert completion.id == f"chatcmpl-{turn.turn_id}"
    assert len(await requested(bus, 1)) == 1


async def test_five_at_once_are_one_turn(bus: Bus, client: Client) -> None:
    asked = [asyncio.create_task(client.call("POST", PATH, HELLO)) for _ in range(5)]
    turn = await answer(bus, 1)

    assert {completion["id"] for _, completion in await asyncio.gather(*asked)} == {
        f"chatcmpl-{turn.turn_id}"
    }
    assert len(await requested(bus, 1)) == 1


async def test_after_its_answer_the_same_request_is_another_turn_unless_the_client_repeats_it(
    bus: Bus, client: Client
) -> None:
    first = await answered(bus, client, HELLO, 1)
    _, repeated = await client.call("POST", PATH, HELLO, x_stainless_retry_count="1")
    another = await answered(bus, client, HELLO, 2, x_stainless_retry_count="0")

    assert first["id"] == repeated["id"] != another["id"]
    one, two = await requested(bus, 2)
    assert one.session_id != two.session_id


# --- what does not go well ---


@pytest.mark.parametrize("reason", ["internal", "refused", "cancelled"])
@pytest.mark.parametrize("body", [HELLO, STREAM])
async def test_a_turn_without_an_answer_is_an_error_and_the_next_try_is_another_turn(
    bus: Bus, client: Client, body: dict[str, Any], reason: str
) -> None:
    asked = asyncio.create_task(_status_and_error(client, body))
    (turn,) = await requested(bus, 1)
    failed = Failed(**of(turn, 0), reason=reason, detail="It broke.")
    await send(bus, turn, Cancelled(**of(turn, 0)) if reason == "cancelled" else failed)
    status, again, error = await asked

    expected = (400, "invalid_request_error") if reason == "refused" else (500, "server_error")
    assert (status, error["type"]) == ((200, expected[1]) if body is STREAM else expected)
    assert again == (None if body is STREAM else "false")
    assert turn.turn_id in error["message"] or "It broke." in error["message"]
    await answered(bus, client, HELLO, 2)


async def _status_and_error(client: Client, body: object) -> tuple[int, str | None, Any]:
    async with client.open("POST", PATH, body) as response:
        last = (await events_in(response))[-1] if body is STREAM else await response.json()
        return response.status, response.headers.get("x-should-retry"), last["error"]


@pytest.mark.parametrize(("second", "ends_with"), [("Good day", "[DONE]"), ("Bad day", "error")])
async def test_an_answer_that_begins_again_is_not_said_twice(
    bus: Bus, client: Client, second: str, ends_with: str
) -> None:
    async with client.open("POST", PATH, STREAM) as response:
        (turn,) = await requested(bus, 1)
        await send(
            bus,
            turn,
            OutputDelta(index=0, text="Good "),
            OutputRestarted(index=1, attempt=2),
            OutputDelta(index=2, text=second, attempt=2),
            saved(turn, second, 3, attempt=2),
        )
        events = await events_in(response)

    said = [event["choices"][0]["delta"].get("content", "") for event in events if "choices" in event]
    assert "".join(said) == ("Good day" if ends_with == "[DONE]" else "Good ")
    assert ends_with in events[-1]


async def test_an_answer_that_validation_may_revise_is_sent_once_it_is_approved(
    bus: Bus, client: Client
) -> None:
    """A stock client cannot take words back. Meanwhile comments keep its connection open."""
    async with client.open("POST", PATH, STREAM | {"model": "pandora"}) as response:
        (turn,) = await requested(bus, 1)
        for index in range(4):
            await send(bus, turn, OutputDelta(index=index, text="Good "))
            await asyncio.sleep(0.1)
        before = await response.content.readuntil(b"\n: still here\n")
        revised = OutputDelta(index=5, text="Bad day")
        await send(bus, turn, OutputRestarted(index=4), revised, saved(turn, "Bad day", 6))
        words, last, done = await events_in(response)

    assert turn.recipe == "standard"
    assert b"Good" not in before
    assert words["choices"][0]["delta"]["content"] == "Bad day"
    assert (last["choices"][0]["finish_reason"], done) == ("stop", "[DONE]")


async def test_an_answer_that_was_revised_is_sent_whole_when_the_request_is_repeated(
    bus: Bus, client: Client
) -> None:
    """Also where the first answer has more events than are read at once."""
    first = [OutputDelta(index=index, text="Good ") for index in range(300)]
    revised: list[LiveEvent] = [OutputRestarted(index=300), OutputDelta(index=301, text="Bad day")]
    async with client.open("POST", PATH, STREAM) as response:
        (turn,) = await requested(bus, 1)
        await send(bus, turn, *first, *revised)
        assert "revised" in (await events_in(response))[-1]["error"]["message"]
    await send(bus, turn, saved(turn, "Bad day", 302))
    async with client.open("POST", PATH, STREAM) as response:
        _, words, last, _ = await events_in(response)

    assert words["choices"][0]["delta"]["content"] == "Bad day"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert len(await requested(bus, 1)) == 1


async def test_a_silent_stream_sends_comments_and_a_stop_is_an_error(bus: Bus, client: Client) -> None:
    async with client.open("POST", PATH, STREAM) as response:
        await response.content.readuntil(b"\n: still here\n")
        client.streams.stop()
        *_, error = await events_in(response)

    assert "send the same request again" in error["error"]["message"]


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "4", "tool_call_id": "1"}]}, "messages"),
        ({"messages": [{"role": "system", "content": "Be kind."}]}, "messages"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"stream": "yes"}, "stream"),
    ],
)
async def test_what_is_refused_is_named(
    bus: Bus, client: Client, changed: dict[str, Any], param: str
) -> None:
    status, body = await client.call("POST", PATH, HELLO | changed)

    assert (status, body["error"]["param"], body["error"]["code"]) == (400, param, None)
    assert (await state(bus, "TURNS")).messages == 0


async def test_fields_at_their_defaults_ask_for_nothing(bus: Bus, client: Client) -> None:
    defaults = {"n": 1, "stop": None, "tools": [], "logprobs": False, "modalities": ["text"]}
    form = {"response_format": {"type": "text"}, "tool_choice": "none", "of_tomorrow": {"a": 1}}

    await answered(bus, client, HELLO | defaults | form, 1)
