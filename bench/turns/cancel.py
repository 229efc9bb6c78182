"""How long an engine goes on after its turn was cancelled: over HTTP and over NATS, with one orchestrator and
with two, where about half of the cancels reach the one that does not run the turn.
"""

import asyncio
import random
import re
from statistics import median
from time import perf_counter
from typing import Literal

import msgspec
from nats.aio.client import Client as Nats

from bench.running.figures import Figure, percentile, plain
from bench.running.parts import Installation
from bench.running.run import Run
from bench.turns.talking import Talking
from shared.contract.events import LOCAL_USER
from shared.contract.requests import Control, Controlled
from tests.servers.ports import free_ports

GOAL_MS = 250.0
_WARM = 10
_ENDLESS = 1_000_000
_PASSED_ON = re.compile(
    r'^pandora_requests_total\{.*subject="orchestrator\.control".*\} (\S+)$', re.MULTILINE
)
By = Literal["http", "nats"]
WAYS: tuple[By, ...] = ("http", "nats")


async def measure(run: Run) -> list[Figure]:
    cancels = 10 if run.quick else 200
    async with Talking.started(run) as talking:
        talking.engine.tokens = _ENDLESS
        async with await talking.installation.bus() as client:
            bench = _Cancels(talking, client)
            figures = _figures("one", await bench.seconds(cancels), "")
            (port,) = free_ports(1)
            second = talking.installation.beside(ORCHESTRATOR_PORT=str(port))
            async with second.running("orchestrator"):
                both = [talking.installation, second]
                seconds = await bench.seconds(cancels)
                share = await bench.passed_on(both) / (len(WAYS) * (cancels + _WARM))
                figures += _figures("two", seconds, f"{100 * share:.0f} % passed on")
    return figures


def _figures(name: str, seconds: dict[By, list[float]], note: str) -> list[Figure]:
    figures = []
    for way, values in seconds.items():
        name_p = f"cancel.{name}.{way}"
        worst = f"worst {1000 * max(values):.3g} ms"
        figures.append(plain(f"{name_p}_p50", 1000 * median(values), "ms", ours=note))
        p99 = 1000 * percentile(values, 0.99)
        figures.append(plain(f"{name_p}_p99", p99, "ms", goal=GOAL_MS, ours=worst))
    return figures


class _Cancels:
    """One turn at a time, cancelled while it talks."""

    def __init__(self, talking: Talking, client: Nats) -> None:
        self._talking = talking
        self._client = client
        self._random = random.Random(9)

    async def seconds(self, cancels: int) -> dict[By, list[float]]:
        """Both ways in turn, after a few that do not count."""
        seconds: dict[By, list[float]] = {way: [] for way in WAYS}
        for _ in range(cancels + _WARM):
            for way in WAYS:
                seconds[way].append(await self._one(way))
        return {way: values[_WARM:] for way, values in seconds.items()}

    async def _one(self, way: By) -> float:
        """From the call until the engine's handler sees its client leave; both clocks are this process's."""
        turn_id, chat = await self._talking.begin()
        await chat.until_sent(self._random.randint(2, 12))
        begun = perf_counter()
        async with asyncio.timeout(30):
            await (self._talking.cancel(turn_id) if way == "http" else self._ask(turn_id))
            return await chat.idle - begun

    async def _ask(self, turn_id: str) -> None:
        request = Control(user=LOCAL_USER, turn_id=turn_id, action="cancel")
        answer = await self._client.request(request.address(), msgspec.json.encode(request), timeout=10)
        if not msgspec.json.decode(answer.data, type=Controlled).done:
            raise RuntimeError(answer.data.decode())

    async def passed_on(self, installations: list[Installation]) -> int:
        """Cancels that one orchestrator asked of another, as they count them themselves."""
        passed = 0
        for installation in installations:
            port = installation.settings.orchestrator.orchestrator_port
            async with self._talking.http.get(f"http://127.0.0.1:{port}/metrics") as response:
                passed += sum(int(float(found)) for found in _PASSED_ON.findall(await response.text()))
        return passed
