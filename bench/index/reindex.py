"""How fast messages get new vectors, against the embedding model alone on the same texts."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import islice
from time import perf_counter

from bench.index.embedder import EmbedderAlone
from bench.index.indexed import saved_turns
from bench.running.figures import Figure, percentile, plain, ratio
from bench.running.run import Run
from bench.running.sentences import sentences
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from shared.contract.events import LOCAL_USER
from shared.contract.requests import ImportedMessage, ImportMessages, Reindex, Reindexing, Search

GOAL = 0.9
_ROUNDS, _MESSAGES = 3, 4_000
_AT_ONCE = 200
_SESSION_MESSAGES = 40


async def measure(run: Run) -> list[Figure]:
    rounds, messages = (1, 600) if run.quick else (_ROUNDS, _MESSAGES)
    installation = run.installation()
    async with AsyncExitStack() as stack:
        alone = await stack.enter_async_context(EmbedderAlone.started())
        await stack.enter_async_context(installation.running("nats", "postgres"))
        settings = installation.settings.local.model_copy(update={"request_timeout_seconds": 60.0})
        async with Bus.connect("orchestrator", settings) as owner:
            await declare_streams(owner.jetstream, first_turn_number=1)
        bus = await stack.enter_async_context(Bus.connect("operator", settings))
        await stack.enter_async_context(installation.running("indexer"))
        texts = [event.input + " " + event.output for event in islice(saved_turns(seed=21), messages)]
        await _import(bus, texts)
        ours, embedder = [], []
        for _ in range(rounds):
            embedder.append(messages / await alone.seconds(texts))
            seconds, _ = await _reindex(bus, searching=False)
            ours.append(messages / seconds)
        _, searches = await _reindex(bus, searching=True)
    return [
        ratio(
            "reindex.messages_to_embedder", ours, embedder, "messages/s", goal=GOAL, collapsed=alone.collapsed
        ),
        plain("reindex.search_meanwhile_p50", 1000 * percentile(searches, 0.5), "ms"),
        plain("reindex.search_meanwhile_p99", 1000 * percentile(searches, 0.99), "ms"),
    ]


async def _import(bus: Bus, texts: Sequence[str]) -> None:
    first = next(saved_turns(seed=22)).saved_at
    said = [
        ImportedMessage(
            session_id=f"session-{n // _SESSION_MESSAGES}",
            message_id=str(n),
            speaker="user" if n % 2 else "assistant",
            text=text,
            at=first + timedelta(minutes=n),
        )
        for n, text in enumerate(texts)
    ]
    for begin in range(0, len(said), _AT_ONCE):
        await bus.ask(ImportMessages(user=LOCAL_USER, messages=said[begin : begin + _AT_ONCE]))


async def _reindex(bus: Bus, *, searching: bool) -> tuple[float, list[float]]:
    """Seconds until the new vectors answer, and those of each search meanwhile."""
    queries = sentences(seed=23)
    searches: list[float] = []
    start = perf_counter()
    state = await bus.ask(Reindex(kinds=["turn"]))
    while state.running:
        if searching:
            asked = perf_counter()
            await bus.ask(Search(user=LOCAL_USER, query=next(queries)))
            searches.append(perf_counter() - asked)
        await asyncio.sleep(0.05)
        state = await bus.ask(Reindexing())
    return perf_counter() - start, searches
