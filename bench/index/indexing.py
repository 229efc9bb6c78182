"""How fast saved turns become searchable, against the embedding model alone on the same texts."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import islice
from time import perf_counter

from bench.index.embedder import EmbedderAlone
from bench.index.indexed import Indexed, saved_turns
from bench.running.figures import Figure, ratio
from bench.running.run import Run
from services.indexer.passages.message import messages_of
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.contract.events import TurnSaved

GOAL = 0.9
_IN_FLIGHT = 100


async def measure(run: Run) -> list[Figure]:
    rounds, turns = (1, 128) if run.quick else (3, 1500)
    installation = run.installation()
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(EmbedderAlone.started())
        await stack.enter_async_context(installation.running("nats", "postgres"))
        bus = await stack.enter_async_context(Bus.connect("orchestrator", installation.settings.local))
        await declare_streams(bus.jetstream, first_turn_number=1)
        await stack.enter_async_context(installation.running("indexer"))
        indexed = await stack.enter_async_context(Indexed.followed(await installation.bus()))
        saved = saved_turns(seed=4)
        await _index(bus, indexed, saved, 64)
        ours, embedder = [], []
        for _ in range(rounds):
            events = islice(saved_turns(seed=5), turns)
            texts = [message.text for event in events for message in messages_of(event)]
            embedder.append(turns / await alone.seconds(texts))
            ours.append(turns / await _index(bus, indexed, saved, turns))
        return [
            ratio(
                "indexing.turns_to_embedder", ours, embedder, "turns/s", goal=GOAL, collapsed=alone.collapsed
            )
        ]


async def _index(bus: Bus, indexed: Indexed, saved: Iterator[TurnSaved], turns: int) -> float:
    """Seconds from the first `turn.saved` that is published until search finds them all."""
    events = list(islice(saved, turns))
    start = perf_counter()
    for begin in range(0, turns, _IN_FLIGHT):
        for event in events[begin : begin + _IN_FLIGHT]:
            await bus.publish(event)
    await indexed.wait_for(event.turn_id for event in events)
    return perf_counter() - start
