"""Confidence fades with time, unless a memory is used or said again."""

from datetime import datetime, timedelta
from typing import Final

from shared.contract.memories import MemoryKind

HALF_LIVES: Final[dict[MemoryKind, timedelta]] = {
    # Half of all jobs are left within four years (US Bureau of Labor Statistics, median tenure 2022: 4.1
    # years); homes are kept somewhat longer. A birthday lasts, and being asked about confirms it.
    "fact": timedelta(days=4 * 365),
    # Tastes change, and many are said in the mood of a day.
    "preference": timedelta(days=365),
    # Mostly errands and dates: half of them are over within a few months.
    "note": timedelta(days=180),
}
_OF_A_CONFIRMATION: Final = 0.5
"""The weight of a repetition by the same person, who may have been wrong the first time too."""


def faded(
    confidence: float,
    kind: MemoryKind,
    *,
    confirmed_at: datetime,
    used_at: datetime | None,
    now: datetime,
) -> float:
    """`confidence * 0.5 ** (age / half-life)`; the age counts from the last confirmation or use."""
    fresh_at = max(confirmed_at, used_at or confirmed_at)
    age = max(timedelta(0), now - fresh_at)
    return float(confidence * 0.5 ** (age / HALF_LIVES[kind]))


def confirmed(confidence: float, by: float) -> float:
    """The chance that not all statements are wrong, where repetitions weigh half."""
    return confidence + (1 - confidence) * _OF_A_CONFIRMATION * by
