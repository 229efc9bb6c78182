"""Search at 50,000 and at 200,000 messages of users with 2,000 each, and at 50,000 of one user.

Three installations stand side by side and are asked in turn, round after round: what slows the machine down
slows all of them. Four ask at once, each a question that was never asked before, and the same once more: then
its vector is cached, and what is left is the search without the embedding.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from statistics import median
from time import perf_counter

import msgspec
import psutil

from bench.index.stored import MADE_UP, Said, bytes_of, declare_after, fill
from bench.running.figures import Figure, percentile, plain, shown
from bench.running.run import Run
from bench.running.sentences import questions
from services.indexer.app.embedding import opened_embedder
from services.indexer.settings import IndexerSettings
from shared.bus.connection import Bus
from shared.contract.requests import Search
from shared.process.settings import load

SIZES = {"50k": Said(25, 2_000), "200k": Said(100, 2_000), "one_user": Said(1, 50_000)}
_QUICK = {"50k": Said(2, 1_000), "200k": Said(8, 1_000), "one_user": Said(1, 2_000)}
GOAL_TO_EMBEDDING = 2.0
GOAL_ALONE_MS = 5.0
GOAL_GROWTH = 1.2
ASKING = 4
_OPTIMIZE_SECONDS = 100.0
_WARM_QUESTIONS = 40
_MB = 1024 * 1024


class Times(msgspec.Struct, frozen=True):
    """Seconds of each search."""

    new: list[float] = []
    again: list[float] = []
    """Of the same questions, whose vectors are cached."""
    alone: list[float] = []
    """The same once more, one at a time."""


class Side(msgspec.Struct, frozen=True):
    """One installation that is asked."""

    said: Said
    optimized: bool
    ask: Callable[[str], Awaitable[object]]
    times: Times
    held: Callable[[], int]
    """Bytes that the indexer's process holds."""
    stored: int
    """Bytes of its points on disk."""


async def measure(run: Run) -> list[Figure]:
    sizes, rounds, asked = (_QUICK, 1, 60) if run.quick else (SIZES, 5, 200)
    embedding: list[float] = []
    settings = load(IndexerSettings).model_copy(update={"query_cache_entries": 0})
    async with AsyncExitStack() as stack:
        # One after the other, before anything else runs.
        sides = {
            name: await stack.enter_async_context(_filled(run, name, said)) for name, said in sizes.items()
        }
        embedder = await stack.enter_async_context(opened_embedder(settings, settings.embedding_model))
        new = questions(seed=9)
        for _ in range(rounds):
            for side in sides.values():
                now = list(islice(new, asked))
                side.times.new.extend(await timed(side.ask, now))
                side.times.again.extend(await timed(side.ask, now))
                side.times.alone.extend(await timed(side.ask, now, asking=1))
            embedding += await timed(embedder.embed_query, islice(new, asked))
        held = {name: side.held() for name, side in sides.items()}
    return figures_of(sides, embedding, held)


def figures_of(
    sides: Mapping[str, Side], embedding: Sequence[float], held: Mapping[str, int]
) -> list[Figure]:
    few, many = sides["50k"], sides["200k"]
    more = (many.said.messages - few.said.messages) / 100_000
    return [
        *(figure for name, side in sides.items() for figure in _times_of(name, side)),
        *_beside_the_embedding(few.times, embedding),
        _growth("search.growth_200k", few.times.new, many.times.new, goal=GOAL_GROWTH),
        _growth("search.growth_200k_without_embedding", few.times.again, many.times.again),
        plain(
            "search.indexer_resident_per_100k",
            (held["200k"] - held["50k"]) / _MB / more,
            "MB",
            ours=f"{held['200k'] / _MB:.0f} MB",
            against=f"{held['50k'] / _MB:.0f} MB",
        ),
        plain(
            "search.points_on_disk_per_100k",
            (many.stored - few.stored) / _MB / more,
            "MB",
            ours=f"{many.stored / _MB:.0f} MB",
            against=f"{few.stored / _MB:.0f} MB",
        ),
    ]


def _beside_the_embedding(times: Times, embedding: Sequence[float]) -> list[Figure]:
    return [
        plain(
            "search.alone_p50_50k",
            1000 * median(times.alone),
            "ms",
            goal=GOAL_ALONE_MS,
            ours="cached vector",
        ),
        plain(
            "search.p50_50k_to_embedding",
            median(times.new) / median(embedding),
            "x",
            goal=GOAL_TO_EMBEDDING,
            ours=f"{_ms(times.new, 0.5)} ms",
            against=f"{_ms(embedding, 0.5)} ms",
        ),
        plain("search.embedding_p50", 1000 * median(embedding), "ms"),
        plain("search.embedding_p99", 1000 * percentile(embedding, 0.99), "ms"),
    ]


def _times_of(name: str, side: Side) -> list[Figure]:
    note = f"{side.said.users} users" if side.optimized else f"{side.said.users} users, no graph"
    new, again = side.times.new, side.times.again
    return [
        plain(f"search.p50_{name}", 1000 * median(new), "ms", ours=note),
        plain(
            f"search.p99_{name}",
            1000 * percentile(new, 0.99),
            "ms",
            ours=note,
            against=f"without the embedding {_ms(again, 0.5)} / {_ms(again, 0.99)} ms",
        ),
        plain(f"search.without_embedding_p50_{name}", 1000 * median(again), "ms"),
        plain(f"search.without_embedding_p99_{name}", 1000 * percentile(again, 0.99), "ms"),
    ]


def _growth(name: str, few: Sequence[float], many: Sequence[float], goal: float | None = None) -> Figure:
    return plain(
        name,
        percentile(many, 0.99) / percentile(few, 0.99),
        "x",
        goal=goal,
        ours=f"{_ms(many, 0.99)} ms",
        against=f"{_ms(few, 0.99)} ms",
    )


def _ms(seconds: Sequence[float], share: float) -> str:
    return shown(1000 * percentile(seconds, share))


async def timed(
    ask: Callable[[str], Awaitable[object]], texts: Iterator[str] | Sequence[str], *, asking: int = ASKING
) -> list[float]:
    """Seconds of each, `asking` at a time."""
    left = iter(texts)
    seconds: list[float] = []

    async def keep_asking() -> None:
        for text in left:
            start = perf_counter()
            await ask(text)
            seconds.append(perf_counter() - start)

    async with asyncio.TaskGroup() as group:
        for _ in range(asking):
            group.create_task(keep_asking())
    return seconds


@asynccontextmanager
async def _filled(run: Run, name: str, said: Said) -> AsyncIterator[Side]:
    """The real indexer over so many messages, warm."""
    installation = run.installation(name)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(installation.running("nats", "postgres"))
        optimized = await fill(installation, said, optimize_seconds=_OPTIMIZE_SECONDS)
        await declare_after(installation, said)
        settings = installation.settings.local.model_copy(update={"request_timeout_seconds": 30.0})
        bus = await stack.enter_async_context(Bus.connect("orchestrator", settings))
        # Earlier revisions compare no vectors with the model's, and have no such module.
        instead = {"indexer": MADE_UP} if installation.has(MADE_UP) else {}
        await stack.enter_async_context(installation.running("indexer", **instead))
        # The same user for the same question, asked again: the same search.
        users = said.names()

        async def ask(question: str) -> None:
            user = random.Random(question).choice(users)
            assert (await bus.ask(Search(user=user, query=question))).hits

        await timed(ask, islice(questions(seed=8), _WARM_QUESTIONS))
        process = psutil.Process(installation.pid_of("indexer"))
        yield Side(
            said=said,
            optimized=optimized,
            ask=ask,
            times=Times(),
            held=lambda: process.memory_info().rss,
            stored=bytes_of(installation.folder / "qdrant"),
        )
