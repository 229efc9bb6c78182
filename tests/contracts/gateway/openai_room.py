"""Chat completions by turns, with a test as the orchestrator that answers them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint, endpoints_of
from shared.contract.events import (
    LiveEvent,
    OutputDelta,
    Saved,
    TurnRequested,
    Usage,
    decode,
    encode,
    live_subject,
)
from shared.contract.requests import Recipes, RecipesReply
from tests.contracts.gateway.gateway_room import Client, Orchestrator, gateway_over_http
from tests.servers.nats import bus_to, state

PATH = "/v1/chat/completions"
HELLO = {"model": "pandora-direct", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = HELLO | {"stream": True}


class ValidatingOrchestrator(Orchestrator):
    """Its recipe `standard` may revise an answer that is read already."""

    @endpoint
    async def recipes(self, _: Recipes) -> RecipesReply:
        return RecipesReply(names=["direct", "standard"], unapproved=["standard"])


@asynccontextmanager
async def chats_over_http(bus: Bus, url: str, **settings: Any) -> AsyncIterator[Client]:
    async with (
        bus_to(url, "orchestrator") as other,
        gateway_over_http(bus, heartbeat_seconds=0.2, **settings) as connected,
    ):
        await other.serve("a few lines", endpoints_of(ValidatingOrchestrator()))
        yield connected


async def requested(bus: Bus, count: int) -> list[TurnRequested]:
    """The turns that were handed in, once there are at least so many."""
    async with asyncio.timeout(20):
        while (held := (await state(bus, "TURNS")).messages) < count:  # noqa: ASYNC110  # JetStream tells nobody
            await asyncio.sleep(0.02)
    stored = [await bus.jetstream.get_msg("TURNS", seq=number) for number in range(1, held + 1)]
    return [decode(TurnRequested, message.data or b"") for message in stored]


async def send(bus: Bus, turn: TurnRequested, *events: LiveEvent) -> None:
    for event in events:
        await bus.store(live_subject(turn.turn_id), encode(event), {})


def of(turn: TurnRequested, index: int) -> dict[str, Any]:
    return {"index": index, "turn_id": turn.turn_id, "turn_number": 1, "session_id": turn.session_id}


def saved(turn: TurnRequested, output: str, index: int, attempt: int = 1) -> Saved:
    usage = Usage(input_tokens=3, output_tokens=2, cached_tokens=1)
    return Saved(**of(turn, index), attempt=attempt, output=output, sources=[], usage=usage, model="m")


async def answer(bus: Bus, number: int, output: str = "Good day") -> TurnRequested:
    """Answers the turn that was handed in as this one."""
    turn = (await requested(bus, number))[number - 1]
    await send(bus, turn, OutputDelta(index=0, text=output), saved(turn, output, 1))
    return turn


async def events_in(response: aiohttp.ClientResponse) -> list[Any]:
    """The data of each event. Comments are left out."""
    lines = (await response.text()).splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


async def answered(
    bus: Bus, client: Client, body: object, number: int, output: str = "Good day", **more: str
) -> Any:
    asked = asyncio.create_task(client.call("POST", PATH, body, **more))
    await answer(bus, number, output)
    status, completion = await asked
    assert status == 200, completion
    return completion
