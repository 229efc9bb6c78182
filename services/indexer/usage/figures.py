"""What turns and their phases took, added up by day.

The values of a figure are counted in buckets, fifteen for each power of ten. So a percentile is exact to 8
percent, for any number of values.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date
from math import ceil, floor, log10
from typing import Final

import msgspec

from shared.contract.events import PhaseTiming, TurnSaved

_A_DECADE: Final = 15
_LOWEST, _HIGHEST = -3, 6
"""Powers of ten: a millisecond, a million tokens. Other values are in the first or the last bucket."""
BUCKETS: Final = (_HIGHEST - _LOWEST) * _A_DECADE + 2


class Labels(msgspec.Struct, frozen=True, order=True):
    """A figure of one day. Labels that do not apply are empty."""

    day: date
    name: str
    recipe: str
    phase: str
    role: str
    model: str


class Figure(msgspec.Struct):
    """A sum, its extremes, and a histogram."""

    count: int = 0
    sum: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * BUCKETS)

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)
        self.buckets[_bucket_of(value)] += 1

    def percentile(self, share: float) -> float:
        """The value that this share of all values does not exceed, exact to 8 percent."""
        rank, seen = max(1, ceil(share * self.count)), 0
        for place, count in enumerate(self.buckets):
            seen += count
            if seen >= rank:
                return min(max(_middle_of(place), self.least), self.most)
        return self.most


def figures_of(turns: Sequence[TurnSaved]) -> dict[Labels, Figure]:
    figures: dict[Labels, Figure] = {}
    for turn in turns:
        for labels, value in _values_of(turn):
            figures.setdefault(labels, Figure()).add(value)
    return figures


def _values_of(turn: TurnSaved) -> Iterator[tuple[Labels, float]]:
    day = turn.saved_at.astimezone(UTC).date()
    whole: dict[str, float] = {
        "turn_seconds": turn.timings.total_seconds,
        "input_tokens": turn.usage.input_tokens,
        "output_tokens": turn.usage.output_tokens,
        "cached_tokens": turn.usage.cached_tokens,
        "quality": turn.quality,
    }
    if turn.timings.first_token_seconds > 0:
        whole["first_token_seconds"] = turn.timings.first_token_seconds
    for name, value in whole.items():
        yield Labels(day, name, turn.recipe, "", "", turn.model), value
    for phase in turn.phases:
        for name, value in _of_phase(phase).items():
            yield Labels(day, name, turn.recipe, phase.phase, phase.role or "", phase.model or ""), value


def _of_phase(phase: PhaseTiming) -> dict[str, float]:
    """Tokens where a model was asked."""
    values: dict[str, float] = {"phase_seconds": phase.seconds, "retries": phase.retries}
    if phase.calls or phase.role is not None:
        values |= {
            "calls": phase.calls,
            "input_tokens": phase.input_tokens,
            "output_tokens": phase.output_tokens,
            "cached_tokens": phase.cached_tokens,
        }
    return values


def _bucket_of(value: float) -> int:
    if value < 10.0**_LOWEST:
        return 0
    return min(BUCKETS - 1, 1 + floor((log10(value) - _LOWEST) * _A_DECADE))


def _middle_of(bucket: int) -> float:
    return 0.0 if bucket == 0 else float(10 ** (_LOWEST + (bucket - 0.5) / _A_DECADE))
