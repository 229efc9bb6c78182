"""Two revisions compared: whose module runs, and what the table of ratios says."""

import sys
from pathlib import Path

import pytest

from bench.running.against import Compared, compare, table_of_ratios
from bench.running.code import OWN, Code
from bench.running.figures import Figure, plain
from bench.running.run import Run


def test_a_service_runs_by_the_python_of_its_code() -> None:
    other = Code(Path("/nowhere"), Path("/nowhere/bin/python"))

    assert other.command("services.gateway") == ["/nowhere/bin/python", "-m", "services.gateway"]
    assert OWN.command("services.gateway")[0] == sys.executable


def test_a_module_of_the_bench_is_found_where_an_older_revision_has_it(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "instant_worker.py").touch()
    older = Code(tmp_path, Path("python"))

    assert older.command("bench.engines.instant_worker")[-1] == "bench.instant_worker"
    with pytest.raises(FileNotFoundError, match=r"relay\.py"):
        older.command("bench.engines.relay")


async def test_both_sides_are_measured_in_turn_and_compared_round_by_round(tmp_path: Path) -> None:
    other = Code(tmp_path, Path("python"))
    measured: list[Code] = []

    async def measure(run: Run) -> list[Figure]:
        measured.append(run.code)
        figures = [plain("turn.spent", len(measured) * (1 if run.code is OWN else 10), "ms")]
        return figures + ([plain("turn.new", 1, "ms")] if run.code is OWN else [])

    [compared] = await compare("turn", measure, other, tmp_path, quick=True, rounds=2)

    assert measured == [OWN, other, other, OWN]
    assert compared == Compared("turn.spent", "ms", ours=[1, 4], theirs=[20, 30])
    assert compared.ratios == [1 / 20, 4 / 30]


def test_the_table_shows_the_median_of_the_ratios_and_their_spread() -> None:
    compared = Compared("turn.spent", "ms", ours=[1, 2, 9], theirs=[10, 10, 10])

    row = table_of_ratios([compared]).splitlines()[2]

    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "turn.spent", "0.200", "0.100", "0.900", "2", "10", "ms",
    ]  # fmt: skip
