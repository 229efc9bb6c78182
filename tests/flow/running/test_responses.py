"""OpenAI's own client reads a response while it is made, and its gateway is killed."""

import os
import signal
from typing import Any
from uuid import uuid4

from tests.flow.openai.clients import client_of
from tests.stack import Stack

LONG = " ".join(f"word{number}" for number in range(40))
MODEL = "pandora-direct"


async def until_it_speaks(stream: Any) -> list[Any]:
    events = []
    async for event in stream:
        events.append(event)
        if len([one for one in events if one.type == "response.output_text.delta"]) == 3:
            break
    return events


async def test_a_stream_goes_on_after_its_gateway_was_killed(slow: Stack) -> None:
    async with client_of(slow, max_retries=10) as client:  # Until the launcher has started it again.
        stream = await client.responses.create(
            model=MODEL, input=f"{LONG} {uuid4().hex}", stream=True, background=True
        )
        events = await until_it_speaks(stream)
        os.kill(slow.pid_of("gateway"), signal.SIGKILL)
        await stream.close()
        made = events[0].response.id
        resumed = await client.responses.retrieve(
            made, stream=True, starting_after=events[-1].sequence_number
        )
        rest = [event async for event in resumed]
        again = await client.responses.retrieve(made, stream=True)
        whole = [event async for event in again]
        final = await client.responses.retrieve(made)

    assert [event.to_dict() for event in [*events, *rest]] == [event.to_dict() for event in whole]
    assert [event.sequence_number for event in whole] == list(range(len(whole)))
    spoken = "".join(event.delta for event in whole if event.type == "response.output_text.delta")
    assert spoken == whole[-1].response.output_text == final.output_text
    assert LONG in spoken


async def test_a_response_is_cancelled_and_its_readers_are_told(slow: Stack) -> None:
    async with client_of(slow) as client:
        stream = await client.responses.create(model=MODEL, input=LONG, stream=True, background=True)
        events = await until_it_speaks(stream)
        running = await client.responses.retrieve(events[0].response.id)
        cancelled = await client.responses.cancel(running.id)
        events += [event async for event in stream]
        found = await client.responses.retrieve(running.id)
        again = await client.responses.cancel(running.id)

    assert (running.status, cancelled.status, again) == ("in_progress", "cancelled", found)
    assert (events[-1].type, events[-1].response.status) == ("response.incomplete", "cancelled")
    assert events[-1].response.output_text == found.output_text
    assert LONG.startswith(found.output_text)
