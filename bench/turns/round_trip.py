"""The raw NATS round trip: what one question costs before anybody does anything about it."""

from statistics import median
from time import perf_counter

import nats
from nats.aio.msg import Msg

from bench.running.figures import Figure, percentile, plain
from bench.running.parts import server
from bench.running.run import Run
from tests.servers.nats import nats_in_hand
from tests.servers.ports import free_ports


async def measure(run: Run) -> list[Figure]:
    """Microseconds from request to reply, one at a time, between two processes."""
    (port,) = free_ports(1)
    async with (
        nats_in_hand() as bus,
        server("bench.engines.echo", port, bus.url),
        await nats.connect(bus.url) as client,
    ):
        seconds = []
        for _ in range(500 if run.quick else 5_000):
            start = perf_counter()
            _answer: Msg = await client.request("bench.echo", b"x" * 64, timeout=5)
            seconds.append(perf_counter() - start)
    return [
        plain("nats_round_trip.p50", 1e6 * median(seconds), "us"),
        plain("nats_round_trip.p99", 1e6 * percentile(seconds, 0.99), "us"),
    ]
