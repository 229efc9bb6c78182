"""python -m bench.peers [--quick] gateways|vllm: Pandora against other gateways, or vLLM's server.

A run that is not quick writes bench/results.json, for its own figures.
"""

import argparse
import os
import tempfile
from contextlib import chdir
from pathlib import Path

import uvloop

from bench.peers import gateways, vllm
from bench.running.figures import table, write_results
from bench.running.run import Run

_MEASURES = {"gateways": gateways.measure, "vllm": vllm.measure}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("against", choices=sorted(_MEASURES))
    parser.add_argument("--quick", action="store_true", help="a few seconds each; the figures say little")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start", flush=True)
    # Away from the checkout: its `.env` is not for the bench.
    with tempfile.TemporaryDirectory(prefix="pandora-bench-") as folder, chdir(folder):
        figures = uvloop.run(_MEASURES[arguments.against](Run(Path(folder) / "peers", arguments.quick)))
    print(table(figures))
    if not arguments.quick:
        write_results(figures)


if __name__ == "__main__":
    main()
