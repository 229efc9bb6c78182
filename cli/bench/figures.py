"""The figures of many answers."""

from collections.abc import Sequence
from math import ceil
from typing import Final

import msgspec

from cli.bench.server import Measured

PERCENTILES: Final = (50, 90, 99)


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    p50: float
    p90: float
    p99: float
    worst: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    model: str
    concurrency: int
    requests: int
    failed: int
    seconds: float
    requests_per_second: float
    tokens_per_second: float
    """Of all answers together."""
    tokens: int
    tokens_are_counted: bool
    """False: the server told no usage, and pieces of text were counted."""
    first_token: Spread
    whole_answer: Spread
    tokens_per_second_each: Spread
    """Of one answer, from its first token on. The slowest come last: p99 is slower than p50."""
    failures: dict[str, int]
    """By what was said."""


def figures_of(
    answers: Sequence[Measured], failures: dict[str, int], seconds: float, model: str, concurrency: int
) -> Figures:
    """There must be an answer."""
    tokens = sum(one.tokens for one in answers)
    return Figures(
        model=model,
        concurrency=concurrency,
        requests=len(answers),
        failed=sum(failures.values()),
        seconds=seconds,
        requests_per_second=len(answers) / seconds,
        tokens_per_second=tokens / seconds,
        tokens=tokens,
        tokens_are_counted=all(one.is_counted for one in answers),
        first_token=spread_of([one.first_token for one in answers]),
        whole_answer=spread_of([one.whole for one in answers]),
        tokens_per_second_each=spread_of([speed_of(one) for one in answers], slowest_last=True),
        failures=failures,
    )


def speed_of(answer: Measured) -> float:
    """Tokens a second after the first one. An answer of one token took its whole time."""
    spoke = answer.whole - answer.first_token
    return (answer.tokens - 1) / spoke if answer.tokens > 1 and spoke > 0 else answer.tokens / answer.whole


def spread_of(values: Sequence[float], *, slowest_last: bool = False) -> Spread:
    """Percentiles by nearest rank: each is a value that was measured."""
    ordered = sorted(values, reverse=slowest_last)
    p50, p90, p99 = (ordered[ceil(share / 100 * len(ordered)) - 1] for share in PERCENTILES)
    return Spread(p50=p50, p90=p90, p99=p99, worst=ordered[-1])
