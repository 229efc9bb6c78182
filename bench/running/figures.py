"""A figure, the table of them that people read, and `results.json` that machines read."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

RESULTS = Path(__file__).parents[1] / "results.json"
_FEWER_IS_BETTER = frozenset({"ms", "us", "%", "x"})


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number. Ratios are ours divided by what it is held against."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    """At least this much; for times and growth (%, or x: so many times as much), at most."""
    ours: str = ""
    """What the value was made from, for the table only."""
    against: str = ""
    collapsed: bool = False
    """What it is held against did not run as it should. Then no goal is met."""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        if self.collapsed:
            return False
        return self.value <= self.goal if self.unit in _FEWER_IS_BETTER else self.value >= self.goal


def ratio(
    name: str,
    ours: Sequence[float],
    against: Sequence[float],
    unit: str,
    *,
    goal: float | None = None,
    collapsed: bool = False,
) -> Figure:
    """The median of the ratios of interleaved pairs: what slows the machine down slows both of a pair."""
    pairs = [one / other for one, other in zip(ours, against, strict=True)]
    return Figure(
        name=name,
        value=round(median(pairs), 3),
        unit="ratio",
        goal=goal,
        ours=f"{shown(median(ours))} {unit}",
        against=f"{shown(median(against))} {unit}{', collapsed' if collapsed else ''}",
        collapsed=collapsed,
    )


def plain(
    name: str, value: float, unit: str, *, goal: float | None = None, ours: str = "", against: str = ""
) -> Figure:
    return Figure(name=name, value=round(value, 3), unit=unit, goal=goal, ours=ours, against=against)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of all lie below or at."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Markdown that can be read as plain text."""
    rows = [("figure", "value", "ours", "against", "goal", "met")]
    for figure in figures:
        sign = "<=" if figure.unit in _FEWER_IS_BETTER else ">="
        unit = "" if figure.unit == "ratio" else f" {figure.unit}"
        met = {True: "yes", False: "**no**", None: ""}[figure.met]
        goal = "" if figure.goal is None else f"{sign} {figure.goal:g}{unit}"
        rows.append((figure.name, f"{shown(figure.value)}{unit}", figure.ours, figure.against, goal, met))
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its first row the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"


def write_results(figures: Sequence[Figure], path: Path = RESULTS) -> None:
    """Replaces what the file holds of the same parts (the first word of a name) and keeps the others."""
    results = [
        {"name": f.name, "value": f.value, "unit": f.unit, "goal": f.goal, "met": f.met} for f in figures
    ]
    parts = {_part(figure.name) for figure in figures}
    before = msgspec.json.decode(path.read_bytes()) if path.exists() else []
    kept = [result for result in before if _part(result["name"]) not in parts]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept + results), indent=2) + b"\n")


def _part(name: str) -> str:
    return name.partition(".")[0]
