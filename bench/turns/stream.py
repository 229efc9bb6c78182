"""From HTTP through the bus to an instant engine and back as server-sent events, against the engine called
directly, and against NATS alone.

Two ways through: the relay (bench/engines/relay.py: nothing but the bus between gateway and engine) and the
whole orchestrator with memory switched off (turn documents on the disk, `turn.saved` in its stream).
"""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack
from statistics import median
from time import perf_counter
from typing import Literal

import msgspec
import nats
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg

from bench.engines.instant import TOKENS, WORD
from bench.running.figures import Figure, plain, ratio
from bench.running.load import Load, load
from bench.running.parts import server
from bench.running.run import Run
from tests.servers.nats import nats_in_hand
from tests.servers.ports import free_ports

CONCURRENT = (1, 16, 64)
MARKER = b"output.delta"
GOAL = 0.6
Side = Literal["direct", "relay", "turns", "nats"]
SIDES: tuple[Side, ...] = ("direct", "relay", "turns", "nats")


class Sample(msgspec.Struct, frozen=True):
    requests_per_second: float
    tokens_per_second: float
    first_seconds: float


class Paths:
    """Where each side is."""

    def __init__(self, direct: int, relay: int, turns: int, echo: Nats) -> None:
        self._direct, self._relay, self._turns, self._echo = direct, relay, turns, echo

    async def sample(self, side: Side, concurrent: int, requests: int) -> Sample:
        match side:
            case "direct":
                return await self._http(self._direct, "/stream", concurrent, requests, times=1)
            case "relay":
                # `turn.saved` tells the whole output once more, after its deltas.
                return await self._http(self._relay, "/v1/turns", concurrent, requests, times=2)
            case "turns":
                return await self._http(self._turns, "/v1/turns", concurrent, requests, times=2)
            case "nats":
                return await self._bare(concurrent, requests)

    async def _http(self, port: int, path: str, concurrent: int, requests: int, *, times: int) -> Sample:
        done = await load(port, path, _bodies(), requests=requests, concurrent=concurrent, marker=MARKER)
        _check(done, times)
        return Sample(
            done.per_second, done.per_second * TOKENS, median(a.first_seconds for a in done.answers)
        )

    async def _bare(self, concurrent: int, requests: int) -> Sample:
        first: list[float] = []
        left = iter(range(requests))

        async def run() -> None:
            for _ in left:
                first.append(await _tokens_of(self._echo))

        start = perf_counter()
        await asyncio.gather(*(run() for _ in range(concurrent)))
        per_second = requests / (perf_counter() - start)
        return Sample(per_second, per_second * TOKENS, median(first))


async def _tokens_of(client: Nats) -> float:
    """One reply of bare messages; seconds to the first of them."""
    inbox, ended, count, first = client.new_inbox(), asyncio.Event(), 0, 0.0
    start = perf_counter()

    async def take(message: Msg) -> None:
        nonlocal count, first
        count += 1
        first = first or perf_counter() - start
        if count == TOKENS:
            ended.set()

    subscription = await client.subscribe(inbox, cb=take)
    await client.publish("bench.tokens", str(TOKENS).encode(), reply=inbox)
    async with asyncio.timeout(30):
        await ended.wait()
    await subscription.unsubscribe()
    return first


def _bodies() -> Iterator[dict[str, str]]:
    return ({"input": f"Say it, number {number}."} for number in itertools.count())


def _check(done: Load, times: int) -> None:
    """A figure counts only where every token has come."""
    for answer in done.answers:
        if (found := answer.body.count(WORD.encode())) != TOKENS * times:
            raise RuntimeError(f"{found} tokens came, not {TOKENS * times}: {answer.body[-500:]!r}")


async def measure(run: Run) -> list[Figure]:
    rounds, seconds = (1, 0.5) if run.quick else (5, 1.5)
    relay = run.installation("relay")
    turns = run.installation("turns", CONTEXT_PASSAGES="0", HISTORY_TURNS="0")
    direct_port, echo_port = free_ports(2)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server("bench.engines.instant_server", direct_port, "tokens"))
        groups = ("nats", ("orchestrator", "inference", "gateway"))
        await stack.enter_async_context(
            relay.running(
                *groups, orchestrator="bench.engines.relay", inference="bench.engines.instant_worker"
            )
        )
        await stack.enter_async_context(turns.running(*groups, inference="bench.engines.instant_worker"))
        bus = await stack.enter_async_context(nats_in_hand())
        await stack.enter_async_context(server("bench.engines.echo", echo_port, bus.url))
        echo = await stack.enter_async_context(await nats.connect(bus.url))
        paths = Paths(direct_port, relay.gateway_port, turns.gateway_port, echo)
        figures: list[Figure] = []
        for concurrent in CONCURRENT:
            figures += await _compared(paths, concurrent, rounds, seconds)
        return figures


async def _compared(paths: Paths, concurrent: int, rounds: int, seconds: float) -> list[Figure]:
    """All sides in turn, again and again, for about `seconds` each."""
    requests = {}
    for side in SIDES:
        warm = await paths.sample(side, concurrent, 4 * concurrent)
        warm = await paths.sample(side, concurrent, max(4 * concurrent, int(warm.requests_per_second / 4)))
        requests[side] = max(4 * concurrent, int(warm.requests_per_second * seconds))
    samples: dict[Side, list[Sample]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            samples[side].append(await paths.sample(side, concurrent, requests[side]))
    rates = {side: [s.tokens_per_second for s in samples[side]] for side in SIDES}
    figures = []
    for side in ("relay", "turns"):
        name = f"stream.{side}.{concurrent}"
        goal = GOAL if (side, concurrent) == ("relay", 16) else None
        added = [
            1000 * (ours.first_seconds - direct.first_seconds)
            for ours, direct in zip(samples[side], samples["direct"], strict=True)
        ]
        figures += [
            ratio(f"{name}.tokens_to_direct", rates[side], rates["direct"], "tokens/s", goal=goal),
            ratio(f"{name}.tokens_to_nats", rates[side], rates["nats"], "tokens/s"),
            plain(f"{name}.requests", median(s.requests_per_second for s in samples[side]), "1/s"),
            plain(f"{name}.added_first_token", median(added), "ms"),
        ]
    return figures
