"""Two revisions on one machine in one run: the same load, round after round in turn, and their ratios.

The load client, the engines and the baselines are those of this checkout for both sides. So what differs
between the two sides is the code of the services alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec

from bench.running.code import OWN, Code
from bench.running.figures import Figure, aligned, shown
from bench.running.run import Run

Measure = Callable[[Run], Awaitable[list[Figure]]]


class Compared(msgspec.Struct, frozen=True):
    """One figure on both sides, a value for each round."""

    name: str
    unit: str
    ours: list[float]
    theirs: list[float]

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, round by round: what slows the machine down slows both of a pair."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return sorted(one / other for one, other in pairs if other)


async def compare(
    name: str, measure: Measure, other: Code, folder: Path, *, quick: bool, rounds: int
) -> list[Compared]:
    """Measures `rounds` pairs; the side that goes first changes from pair to pair."""
    sides: dict[Code, list[list[Figure]]] = {OWN: [], other: []}
    for number in range(rounds):
        for code in (OWN, other) if number % 2 == 0 else (other, OWN):
            side = "ours" if code is OWN else "theirs"
            print(f"{name}: round {number + 1} of {rounds}, {side}", flush=True)
            sides[code].append(await measure(Run(folder / f"{number + 1}-{side}", quick, code)))
    return _paired(sides[OWN], sides[other])


def _paired(ours: Sequence[Sequence[Figure]], theirs: Sequence[Sequence[Figure]]) -> list[Compared]:
    values = [{figure.name: figure.value for figure in figures} for figures in theirs]
    return [
        Compared(
            name=figure.name,
            unit=figure.unit,
            ours=[figures[place].value for figures in ours],
            theirs=[value[figure.name] for value in values],
        )
        for place, figure in enumerate(ours[0])
        if all(figure.name in value for value in values)
    ]


def table_of_ratios(compared: Sequence[Compared]) -> str:
    """Markdown: the median of the ratios, their spread, and the medians of both sides."""
    rows = [("figure", "ours / theirs", "lowest", "highest", "ours", "theirs", "unit")]
    for one in compared:
        ratios = one.ratios or [float("nan")]
        spread = f"{median(ratios):.3f}", f"{ratios[0]:.3f}", f"{ratios[-1]:.3f}"
        rows.append((one.name, *spread, shown(median(one.ours)), shown(median(one.theirs)), one.unit))
    return aligned(rows)
