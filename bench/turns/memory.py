"""What each process holds in memory over many turns: its resident set in the last quarter of the run, against
the second one. 32 clients at once over HTTP, the extractive engine, a new session every few turns.

BENCH_TURNS says how many turns; BENCH_SAMPLES names a file for all samples, as comma-separated values.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean
from time import perf_counter

import msgspec
import psutil

from bench.index.indexed import Indexed
from bench.running.figures import Figure, plain
from bench.running.load import Client
from bench.running.parts import Installation
from bench.running.run import Run
from bench.running.sentences import sentences
from bench.turns.whole import saved_id

TURNS = 20_000
GOAL_PERCENT = 5.0
PARTS = ("gateway", "orchestrator", "indexer", "inference", "nats", "postgres")
_CLIENTS = 32
_TURNS_A_SESSION = 4
_SAMPLE_SECONDS = 2.0
_MB = 1024 * 1024


class Sample(msgspec.Struct, frozen=True):
    turns: int
    """Answered so far."""
    seconds: float
    bytes: dict[str, int]
    """Resident, by part."""
    private: dict[str, int]
    """Less what is mapped from files or shared."""


async def measure(run: Run) -> list[Figure]:
    turns = int(os.environ.get("BENCH_TURNS", 400 if run.quick else TURNS))
    installation = run.installation()
    async with (
        installation.running("nats", ("postgres",), ("indexer", "orchestrator", "inference", "gateway")),
        Indexed.followed(await installation.bus()) as indexed,
    ):
        clients = _Clients(installation, turns)
        async with clients.sampled():
            begun = perf_counter()
            await clients.load()
            seconds = perf_counter() - begun
        behind = len(clients.saved) - indexed.count(clients.saved)
        await indexed.wait_for(clients.saved)
    clients.keep_samples(os.environ.get("BENCH_SAMPLES"))
    rate = plain("memory.turns", turns / seconds, "1/s", ours=f"{turns:,} turns")
    return [
        rate,
        plain("memory.not_indexed_yet", behind, "turns"),
        *figures_of(clients.samples, turns),
    ]


def figures_of(samples: Sequence[Sample], turns: int) -> list[Figure]:
    figures = []
    for part in PARTS:
        second, last = (_mean(samples, part, turns, quarter) for quarter in (1, 3))
        figures.append(
            plain(
                f"memory.{part}",
                100 * (last / second - 1),
                "%",
                goal=GOAL_PERCENT,
                ours=f"{last / _MB:.1f} MB",
                against=f"{second / _MB:.1f} MB",
            )
        )
    return figures


def _mean(samples: Sequence[Sample], part: str, turns: int, quarter: int) -> float:
    """Quarters of the turns, counted from 0."""
    begin, end = turns * quarter / 4, turns * (quarter + 1) / 4
    return mean(sample.bytes[part] for sample in samples if begin <= sample.turns <= end)


class _Clients:
    def __init__(self, installation: Installation, turns: int) -> None:
        self._installation = installation
        self._turns = turns
        self._left = iter(range(turns))
        self._said = sentences(seed=11)
        self._begun = perf_counter()
        self.saved: list[str] = []
        self.samples: list[Sample] = []

    async def load(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(_CLIENTS):
                group.create_task(self._client(number))

    async def _client(self, number: int) -> None:
        client = await Client.connected(self._installation.gateway_port, b"output.delta")
        sessions = _sessions(number)
        try:
            for _ in self._left:
                body = {"input": next(self._said), "session_id": next(sessions)}
                self.saved.append(saved_id(await client.post("/v1/turns", body)))
        finally:
            client.close()

    @asynccontextmanager
    async def sampled(self) -> AsyncIterator[None]:
        sampling = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)

    async def _sample(self) -> None:
        processes = {part: psutil.Process(self._installation.pid_of(part)) for part in PARTS}
        while True:
            held = {part: await asyncio.to_thread(_held, one) for part, one in processes.items()}
            self.samples.append(
                Sample(
                    turns=len(self.saved),
                    seconds=perf_counter() - self._begun,
                    bytes={part: resident for part, (resident, _) in held.items()},
                    private={part: private for part, (_, private) in held.items()},
                )
            )
            await asyncio.sleep(_SAMPLE_SECONDS)

    def keep_samples(self, path: str | None) -> None:
        if path is None:
            return
        rows = [["turns", "seconds", *PARTS, *(f"{part}_private" for part in PARTS)]]
        for sample in self.samples:
            sizes = [kind[part] for kind in (sample.bytes, sample.private) for part in PARTS]
            rows.append([str(sample.turns), f"{sample.seconds:.1f}", *(f"{n / _MB:.1f}" for n in sizes)])
        Path(path).write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")


def _sessions(client: int) -> Iterator[str]:
    number = 0
    while True:
        for _ in range(_TURNS_A_SESSION):
            yield f"memory-{client}-{number}"
        number += 1


def _held(process: psutil.Process) -> tuple[int, int]:
    """(resident, private) bytes of a process and its children; what those share counts once."""
    family = [process, *process.children(recursive=True)]
    if len(family) == 1:
        usage = process.memory_info()
        return usage.rss, usage.rss - usage.shared
    resident = private = 0
    for one in family:
        try:
            part = one.memory_full_info()
        except psutil.NoSuchProcess:  # A connection's process that has just ended.
            continue
        resident += part.pss
        private += part.uss
    return resident, private
