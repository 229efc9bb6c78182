"""Pandora's raw models, LiteLLM's proxy and TensorZero's gateway side by side over the same upstream."""

import os
from collections.abc import Sequence
from itertools import product
from statistics import median

import msgspec
import psutil

from bench.engines.instant import TOKENS, WORD
from bench.peers.sides import Side, running
from bench.running.figures import Figure, plain, ratio
from bench.running.load import Load, load
from bench.running.run import Run

CONCURRENT = 16
REQUESTS = 20_000
REQUESTS_GOAL, TOKENS_GOAL, FIRST_TOKEN_GOAL = 20.0, 40.0, 1.5
_PEERS = ("litellm", "tensorzero", "upstream")
_MB = 1024 * 1024


class Measured(msgspec.Struct, frozen=True):
    """Of one side, in one round."""

    requests_per_second: float
    tokens_per_second: float
    first_token_ms: float


async def measure(run: Run) -> list[Figure]:
    rounds, requests = (2, 64) if run.quick else (5, 512)
    in_all = int(os.environ.get("BENCH_REQUESTS", 400 if run.quick else REQUESTS))
    run.folder.mkdir(parents=True, exist_ok=True)
    async with running(run) as sides:
        taken: dict[str, list[Measured]] = {side.name: [] for side in sides}
        for _ in range(1 + rounds):
            for side in sides:
                taken[side.name].append(await _round(side, requests))
        memory = [await _memory(side, in_all) for side in sides if side.pids]
    measured = {name: all_rounds[1:] for name, all_rounds in taken.items()}  # The first is to warm up.
    return [*_rates(measured), *_first_tokens(measured), *memory]


async def _round(side: Side, requests: int) -> Measured:
    whole = await _load(side, requests, CONCURRENT, streams=False)
    streamed = await _load(side, requests, CONCURRENT, streams=True)
    alone = await _load(side, requests // 4, 1, streams=True)
    first = median(answer.first_seconds for answer in alone.answers)
    return Measured(whole.per_second, streamed.per_second * TOKENS, 1000 * first)


async def _load(side: Side, requests: int, concurrent: int, *, streams: bool) -> Load:
    """Raises RuntimeError where some of the tokens did not come."""
    bodies = (
        {
            "model": side.model,
            "stream": streams,
            "messages": [{"role": "user", "content": f"Say it, number {number}."}],
        }
        for number in range(requests)
    )
    done = await load(
        side.port,
        side.path,
        bodies,
        requests=requests,
        concurrent=concurrent,
        marker=WORD.encode(),
        key=side.key,
    )
    for answer in done.answers:
        if (found := answer.body.count(WORD.encode())) != TOKENS:
            raise RuntimeError(f"{side.name}: {found} tokens, not {TOKENS}: {answer.body[-500:]!r}")
    return done


async def _memory(side: Side, requests: int) -> Figure:
    """All processes of the gateway; what they share counts once."""
    before = _held(side.pids)
    await _load(side, requests, CONCURRENT, streams=False)
    return plain(
        f"peers.memory.{side.name}",
        _held(side.pids) / _MB,
        "MB",
        ours=f"after {requests:,} requests",
        against=f"{before / _MB:.0f} MB before",
    )


def _held(pids: Sequence[int]) -> int:
    families = [[process, *process.children(recursive=True)] for process in map(psutil.Process, pids)]
    return sum(int(one.memory_full_info().pss) for family in families for one in family)


def _rates(measured: dict[str, list[Measured]]) -> list[Figure]:
    figures = []
    for peer, (what, goal) in product(_PEERS, (("requests", REQUESTS_GOAL), ("tokens", TOKENS_GOAL))):
        ours, theirs = (
            [getattr(one, f"{what}_per_second") for one in measured[side]] for side in ("pandora", peer)
        )
        held_against = goal if peer == "litellm" else None
        figures.append(ratio(f"peers.{what}_to_{peer}", ours, theirs, f"{what}/s", goal=held_against))
    return figures


def _first_tokens(measured: dict[str, list[Measured]]) -> list[Figure]:
    """What a gateway adds to the upstream's own first token, in the same round."""
    upstream = [one.first_token_ms for one in measured["upstream"]]
    return [
        plain(
            f"peers.first_token_added.{name}",
            median(one.first_token_ms - alone for one, alone in zip(measured[name], upstream, strict=True)),
            "ms",
            goal=FIRST_TOKEN_GOAL if name == "pandora" else None,
            ours=f"{median(one.first_token_ms for one in measured[name]):.2f} ms",
            against=f"{median(upstream):.2f} ms",
        )
        for name in ("pandora", "litellm", "tensorzero")
    ]
