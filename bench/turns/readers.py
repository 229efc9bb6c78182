"""Many readers of one running turn: all have every event once and in order, and the engine is asked once."""

import asyncio
from statistics import median

import msgspec
import psutil

from bench.running.figures import Figure, plain
from bench.running.run import Run
from bench.turns.reader import Reader
from bench.turns.talking import Talking

READERS = (1, 10, 100, 500)
DELTAS = 200


class Sample(msgspec.Struct, frozen=True):
    events: int
    """Of the turn; each reader had all of them."""
    events_per_second: float
    """Of all readers together, from the engine's first token to the last event."""
    spread_seconds: float
    """How much later the last reader had the last event than the first one."""
    behind_seconds: float
    """How much later than the engine's last token."""
    gateway_seconds: float
    """Processor time of the gateway for each reader."""


async def measure(run: Run) -> list[Figure]:
    rounds = 1 if run.quick else 3
    figures: list[Figure] = []
    async with Talking.started(run) as talking:
        talking.engine.tokens = DELTAS
        await _sample(talking, 2)
        for readers in READERS[:3] if run.quick else READERS:
            figures += _figures(readers, [await _sample(talking, readers) for _ in range(rounds)])
    return figures


def _figures(readers: int, samples: list[Sample]) -> list[Figure]:
    def middle(name: str, scale: float) -> float:
        return scale * float(median(getattr(sample, name) for sample in samples))

    name = f"readers.{readers}"
    note = f"{middle('events', 1):.0f} events each"
    return [
        plain(f"{name}.events", middle("events_per_second", 1), "1/s", ours=note),
        plain(f"{name}.last_after_first", middle("spread_seconds", 1000), "ms"),
        plain(f"{name}.last_after_engine", middle("behind_seconds", 1000), "ms"),
        plain(f"{name}.gateway_per_reader", middle("gateway_seconds", 1000), "ms"),
    ]


async def _sample(talking: Talking, count: int) -> Sample:
    """All readers are there before the engine says its first word."""
    engine, port = talking.engine, talking.installation.gateway_port
    gateway = psutil.Process(talking.installation.pid_of("gateway"))
    requests = engine.requests
    engine.may_talk.clear()
    turn_id, chat = await talking.begin()
    readers = [await Reader.opened(port, turn_id) for _ in range(count)]
    try:
        await asyncio.gather(*(reader.first_seconds() for reader in readers))
        before, begun = _processor_seconds(gateway), asyncio.get_running_loop().time()
        engine.may_talk.set()
        await asyncio.gather(*(reader.until_ended() for reader in readers))
        seconds = asyncio.get_running_loop().time() - begun
        spent = _processor_seconds(gateway) - before
    finally:
        for reader in readers:
            reader.close()
    if engine.requests != requests + 1:
        raise RuntimeError(f"{engine.requests - requests} requests to the engine for one turn")
    events = readers[0].check(0)
    for reader in readers:
        reader.check(0, last=events - 1)
    ends = [reader.last_at for reader in readers]
    return Sample(
        events=events,
        events_per_second=count * events / seconds,
        spread_seconds=max(ends) - min(ends),
        behind_seconds=max(ends) - chat.last_sent_at,
        gateway_seconds=spent / count,
    )


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
