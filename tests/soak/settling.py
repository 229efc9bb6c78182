"""Waits until nothing moves any more."""

import asyncio
import json
from time import monotonic

import asyncpg
import nats
from nats.aio.client import Client

from shared.bus.durables import DURABLES
from tests.soak.ledger import AWAY
from tests.soak.stores import lease_in
from tests.soak.streams import read_from
from tests.stack import Stack

SETTLED_SECONDS = 120.0
_POLL_SECONDS = 0.5


async def settle(stack: Stack, bus: Client) -> tuple[float, str]:
    """(seconds, what still moved at the end of all patience)."""
    begun = monotonic()
    while True:
        try:
            moving = await _moving(stack, bus)
        except (*AWAY, OSError, asyncpg.PostgresError) as error:
            moving = f"a store is away: {error!r}"
        seconds = monotonic() - begun
        if not moving or seconds > SETTLED_SECONDS:
            return seconds, moving
        await asyncio.sleep(_POLL_SECONDS)


async def _moving(stack: Stack, bus: Client) -> str:
    jetstream = bus.jetstream()
    if waiting := (await jetstream.stream_info("TURNS")).state.messages:
        return f"{waiting} turns wait or run"
    if held := await _held(bus):
        return f"{len(held)} leases are held, first for {held[0]}"
    for durable in DURABLES:
        info = await jetstream.consumer_info(durable.stream, durable.name)
        if waiting := (info.num_pending or 0) + (info.num_ack_pending or 0):
            return f"{durable.name} has {waiting} messages to take"
    await stack.rows("SELECT 1")
    try:
        reply = await bus.request("index.count", b"{}", timeout=5)
    except nats.errors.NoRespondersError:
        return "the indexer is away"
    counted = json.loads(reply.data)
    if counted.get("unindexed") != 0:
        return f"the index is at {counted}"
    return ""


async def _held(bus: Client) -> list[str]:
    return [
        turn
        async for message in read_from(bus, "KV_sessions")
        for turn, state in [lease_in(message.headers)]
        if state in ("held", "handed_back")
    ]
