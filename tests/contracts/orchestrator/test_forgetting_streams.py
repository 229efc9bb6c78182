"""The orchestrator looks for stored messages that the indexer does not erase by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from nats.aio.msg import Msg

from services.orchestrator.forgetting.affected_turns import Forgotten
from services.orchestrator.forgetting.nats import BusTraces
from shared.bus.connection import Bus
from shared.bus.replay import replay
from shared.contract.events import Event, ForgetRequested, ForgetScope, TurnFailed, TurnIndexed, encode
from shared.contract.requests import KnownEvents, KnownEventsReply
from tests.unit.samples import AT, saved

LATER = AT + timedelta(hours=1)


@asynccontextmanager
async def indexer_that_knows(bus: Bus, **since: int) -> AsyncIterator[None]:
    async def answer(message: Msg) -> None:
        await message.respond(encode(KnownEventsReply(since=since)))

    subscription = await bus.connection.subscribe(KnownEvents.subject, cb=answer)
    yield
    await subscription.unsubscribe()


async def left(bus: Bus) -> list[int]:
    pages = [page async for page in replay(bus, "OUTCOMES", ">")]
    return [one.sequence for page in pages for one in page]


def of_turn(kind: type[Event], **more: Any) -> Event:
    return kind(turn_id="t1", turn_number=1, session_id="kitchen", user="alice", **more)


@pytest.mark.parametrize(
    ("scope", "target", "names"), [("turn", "t1", 1), ("session", "kitchen", 0), ("user", "", 0)]
)
async def test_what_the_indexer_does_not_know_is_looked_for(
    bus: Bus, scope: ForgetScope, target: str, names: int
) -> None:
    """`names`: how many messages without words stay."""
    events = [
        saved(1),  # From before the indexer noted where its events are.
        saved(1, "Hello", "Once more."),
        saved(1, user="bob"),
        saved(1),
        of_turn(TurnFailed, reason="internal", detail="bees", failed_at=AT),
        of_turn(TurnIndexed, indexed_at=AT),
    ]
    stored = [await bus.jetstream.publish(event.subject, encode(event)) for event in events]
    numbers = [one.seq for one in stored]
    order = ForgetRequested(forget_id="f1", user="alice", scope=scope, target=target, requested_at=LATER)

    async with indexer_that_knows(bus, OUTCOMES=numbers[3]):
        removed = await BusTraces(bus, replicas=1).remove(order, Forgotten(turn_ids=frozenset(["t1"])), [])

    assert removed == 4 - names
    assert await left(bus) == [numbers[2], numbers[3], *numbers[6 - names :]]
