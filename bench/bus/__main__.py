"""python -m bench.bus [--messages N] [--rounds N]: what the bus costs with and without FastStream.

Microseconds of processor time a message, the median of the rounds. Every round measures every way in turn,
each with a nats-server of its own. The figures of docs/adr/0018 are from here.
"""

import argparse
import os
from statistics import median

import uvloop

from bench.bus import consuming, sending


async def _measure(messages: int, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, consume in consuming.WAYS.items():
            microseconds = await consuming.measure(consume, messages)
            found.setdefault(f"event of a durable: {name}", []).append(microseconds)
        for name, send in sending.WAYS.items():
            found.setdefault(name, []).append(await sending.measure(send, messages))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bus", description=__doc__)
    parser.add_argument("--messages", type=int, default=4000, help="a multiple of 200")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    found = uvloop.run(_measure(arguments.messages, arguments.rounds))
    for name, values in found.items():
        print(f"{median(values):8.1f} us  ({min(values):.1f} to {max(values):.1f})  {name}")


main()
