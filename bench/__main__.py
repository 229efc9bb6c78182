"""python -m bench [--quick] [--keep] [--against REV] [NAME ...]: measures, and prints a table.

A run of all figures, and one with --keep, writes bench/results.json. With --against the same figures are
taken of another revision as well, round after round in turn, and the table shows their ratios.
"""

import argparse
import os
import tempfile
from contextlib import chdir
from pathlib import Path
from time import perf_counter

import uvloop

from bench.index import forgetting, importing, indexing, locks, reindex, search
from bench.running.against import Measure, compare, table_of_ratios
from bench.running.code import Code, code_at
from bench.running.figures import Figure, table, write_results
from bench.running.run import Run
from bench.turns import cancel, litellm, memory, phases, readers, resume, round_trip, stream, whole

MEASURES: dict[str, Measure] = {
    "nats_round_trip": round_trip.measure,
    "stream": stream.measure,
    "litellm": litellm.measure,
    "turns": whole.measure,
    "indexing": indexing.measure,
    "importing": importing.measure,
    "reindex": reindex.measure,
    "search": search.measure,
    "forgetting": forgetting.measure,
    "erasing": locks.measure,
    "phases": phases.measure,
    "cancel": cancel.measure,
    "resume": resume.measure,
    "readers": readers.measure,
    "memory": memory.measure,
}


async def _measure(names: list[str], folder: Path, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for name in names:
        start = perf_counter()
        print(f"{name} ... ", end="", flush=True)
        figures += await MEASURES[name](Run(folder / name, quick))
        print(f"{perf_counter() - start:.0f} s", flush=True)
    return figures


async def _compare(names: list[str], other: Code, folder: Path, quick: bool, rounds: int) -> None:
    """Prints each part's ratios as soon as they are known: a whole run takes an hour."""
    for name in names:
        pairs = await compare(name, MEASURES[name], other, folder / name, quick=quick, rounds=rounds)
        print(f"\n{table_of_ratios(pairs)}\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="a few seconds each; the figures say little")
    parser.add_argument("--keep", action="store_true", help="write results.json also where names are given")
    parser.add_argument("--against", metavar="REV", help="compare with this commit, tag or branch")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements with --against")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in MEASURES]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are: {', '.join(MEASURES)}")
    return arguments


def main() -> None:
    arguments = _arguments()
    names = arguments.names or list(MEASURES)
    other = code_at(arguments.against) if arguments.against else None
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    # Away from the checkout: its `.env` is not for the bench.
    with tempfile.TemporaryDirectory(prefix="pandora-bench-") as folder, chdir(folder):
        if other is not None:
            uvloop.run(_compare(names, other, Path(folder), arguments.quick, arguments.rounds))
            return
        figures = uvloop.run(_measure(names, Path(folder), arguments.quick))
    print(f"\n{table(figures)}")
    if (names == list(MEASURES) or arguments.keep) and not arguments.quick:
        write_results(figures)


if __name__ == "__main__":
    main()
