"""The events of a turn that runs, read again from their start and from where a reader left off."""

import asyncio
import signal

from tests.flow.turns.http_turns import events_of, key, request, second_gateway, until_speaking, words
from tests.stack import Stack


async def test_a_stream_asked_for_again_with_the_same_key_begins_at_its_start(slow: Stack) -> None:
    one, body = key(), {"input": words(30)}
    headers = {"idempotency_key": one, "accept": "text/event-stream"}
    async with request(slow, "POST", "/v1/turns", body, **headers) as response:
        before = await until_speaking(slow, response)

    async with request(slow, "POST", "/v1/turns", body, **headers) as response:
        again = [event async for event in slow.events(response)]
    async with request(slow, "POST", "/v1/turns", body, **headers) as response:
        after_the_end = [event async for event in slow.events(response)]

    assert again[: len(before)] == before
    assert again[-1]["type"] == "turn.saved"
    assert [event["index"] for event in again] == list(range(len(again)))
    assert after_the_end == again


async def test_a_reader_goes_on_at_another_gateway_where_the_first_one_left_it(slow: Stack) -> None:
    async with second_gateway(slow) as (url, process):
        async with request(
            slow, "POST", "/v1/turns", {"input": words(60)}, url=url, accept="text/event-stream"
        ) as response:
            events = await until_speaking(slow, response)
            process.send_signal(signal.SIGTERM)
            text = (await response.content.read()).decode()
        assert await asyncio.to_thread(process.wait, 10) == 0
    ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    last = int(ids[-1]) if ids else events[-1]["index"]

    rest = await events_of(slow, events[0]["turn_id"], after=last)

    assert text.endswith("retry: 500\n: this gateway stops; come back with Last-Event-ID\n\n")
    assert [event["index"] for event in rest] == list(range(last + 1, rest[-1]["index"] + 1))
    assert rest[-1]["type"] == "turn.saved"
