"""python -m bench [--quick] [--keep] [NAME ...]: measures, prints a table, and writes bench/results.json."""

import argparse
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import chdir
from pathlib import Path
from time import perf_counter

import uvloop

from bench import (
    cancel,
    importing,
    indexing,
    memory,
    phases,
    readers,
    reindex,
    resume,
    round_trip,
    search,
    stream,
    turns,
)
from bench.figures import Figure, table, write_results

Measure = Callable[[Path, bool], Awaitable[list[Figure]]]
MEASURES: dict[str, Measure] = {
    "nats_round_trip": round_trip.measure,
    "stream": stream.measure,
    "turns": turns.measure,
    "indexing": indexing.measure,
    "importing": importing.measure,
    "reindex": reindex.measure,
    "search": search.measure,
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
        figures += await MEASURES[name](folder / name, quick)
        print(f"{perf_counter() - start:.0f} s", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="a few seconds each; the figures say little")
    parser.add_argument("--keep", action="store_true", help="write results.json also where names are given")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in MEASURES]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are: {', '.join(MEASURES)}")
    names = arguments.names or list(MEASURES)

    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start")
    # Away from the checkout: its `.env` is not for the bench.
    with tempfile.TemporaryDirectory(prefix="pandora-bench-") as folder, chdir(folder):
        figures = uvloop.run(_measure(names, Path(folder), arguments.quick))
    print(f"\n{table(figures)}")
    if (names == list(MEASURES) or arguments.keep) and not arguments.quick:
        write_results(figures)


if __name__ == "__main__":
    main()
