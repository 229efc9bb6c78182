"""The installation under test: `pandora up`, a second gateway and a second orchestrator."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import psutil

from deploy.local.order import NATS, NATS_NODES, REDIS, REDIS_CACHE
from tests.contracts.inference.engines_server import MODEL, chat_server
from tests.servers.ports import free_ports, free_ports_in_a_row
from tests.soak.plan import KEYS, WORD_SECONDS
from tests.stack import Stack

_RESTART_SECONDS = 0.5
_READY_SECONDS = 60.0
_STOP_SECONDS = 25.0
_SETTINGS = {
    "INFERENCE_ENGINE": "openai",
    "MODEL": MODEL,
    "API_KEYS": ",".join(f"{user}:{key}" for user, key in KEYS.items()),
    # The server repeats its prompt word by word: little memory in it, so that an answer ends soon.
    "CONTEXT_BUDGET_TOKENS": "60",
    "CONTEXT_PASSAGES": "2",
}


_LIMITS = {"LIMIT_REQUESTS": "100000/minute", "LIMIT_TURNS": "10000", "LIMIT_TOKENS": "1000000000/day"}


class Spare:
    """A second process of a service, started again whenever it dies."""

    def __init__(self, service: str, environment: Mapping[str, str], port: int, folder: Path) -> None:
        self.name = f"{service}-2"
        self.url = f"http://127.0.0.1:{port}"
        self._service = service
        self._environment = {**environment, f"{service.upper()}_PORT": str(port), "PYTHONUNBUFFERED": "1"}
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopping = False

    async def run(self) -> None:
        while not self._is_stopping:
            with (self._folder / "logs" / f"{self.name}.log").open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    f"services.{self._service}",
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,  # As the stack does: a developer's .env is not the soak's.
                    env=self._environment,
                )
            await self._process.wait()
            if not self._is_stopping:
                await asyncio.sleep(_RESTART_SECONDS)

    @property
    def pid(self) -> int | None:
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def until_ready(self) -> None:
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.1)

    async def stop(self) -> int:
        self._is_stopping = True
        if self._process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        return await self._process.wait()


class Installation:
    """Every process by its name, and where clients find it."""

    def __init__(self, stack: Stack, spares: list[Spare]) -> None:
        self.stack = stack
        self._spares = {spare.name: spare for spare in spares}
        self.gateways = [stack.gateway_url, self._spares["gateway-2"].url]
        first = int(stack.environment["NATS_PORT"])
        self.nats_parts = NATS_NODES if is_cluster(stack) else (NATS,)
        self.nats_urls = [f"nats://127.0.0.1:{first + shift}" for shift in range(len(self.nats_parts))]

    @property
    def parts(self) -> list[str]:
        services = ("gateway", "orchestrator", "indexer", "inference")
        of_the_stack = (*services, *self.nats_parts, "postgres", REDIS, REDIS_CACHE)
        return [*of_the_stack, *self._spares]

    def pid_of(self, part: str) -> int | None:
        """None where it is not running at the moment."""
        if part in self._spares:
            return self._spares[part].pid
        pid = self.stack.pid_of(part)
        return pid if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" else None

    def kill(self, part: str) -> bool:
        """False where it is down already."""
        try:
            pid = self.pid_of(part)
            if pid is None:
                return False
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False
        return True

    async def stop(self) -> list[str]:
        """Ends everything in good order; what did not end as it should."""
        statuses = {spare.name: await spare.stop() for spare in self._spares.values()}
        statuses["pandora up"] = await asyncio.to_thread(self.stack.stop)
        wrong = [f"{name} ended with status {status}" for name, status in statuses.items() if status]
        return wrong + [f"left running: {line}" for line in self.stack.leftovers()]


def is_cluster(stack: Stack) -> bool:
    return "NATS_CLUSTER_PORT" in stack.environment


@asynccontextmanager
async def installed(*, cluster: bool, with_limits: bool = False) -> AsyncIterator[Installation]:
    """A running installation with an engine that says a word every few milliseconds.

    `with_limits`: what each user asks is counted in Redis, and nobody asks so much.
    """
    async with AsyncExitStack() as exits:
        engine = await exits.enter_async_context(chat_server())
        engine.word_seconds = WORD_SECONDS
        settings = {**_SETTINGS, "OPENAI_BASE_URL": engine.url, **(_LIMITS if with_limits else {})}
        stack = _stack(settings, cluster=cluster)
        await asyncio.to_thread(stack.start)
        ports = free_ports(2)
        spares = [
            Spare(service, _spare_environment(stack), port, stack.data_dir)
            for service, port in zip(("orchestrator", "gateway"), ports, strict=True)
        ]
        installation = Installation(stack, spares)
        tasks = [asyncio.create_task(spare.run()) for spare in spares]
        try:
            await asyncio.gather(*(spare.until_ready() for spare in spares))
            yield installation
        finally:
            async with asyncio.timeout(_STOP_SECONDS * 2):
                await installation.stop()
                await asyncio.gather(*tasks)


def _stack(settings: dict[str, str], *, cluster: bool) -> Stack:
    if not cluster:
        return Stack(settings)
    first = free_ports_in_a_row(3 * len(NATS_NODES))
    names = ("NATS_PORT", "NATS_MONITOR_PORT", "NATS_CLUSTER_PORT")
    ports = {name: str(first + place * len(NATS_NODES)) for place, name in enumerate(names)}
    return Stack({**settings, **ports}, "--cluster")


def _spare_environment(stack: Stack) -> dict[str, str]:
    """What the launcher gives its own services."""
    if not is_cluster(stack):
        return stack.environment
    first = int(stack.environment["NATS_PORT"])
    urls = ",".join(f"nats://127.0.0.1:{first + shift}" for shift in range(len(NATS_NODES)))
    return {**stack.environment, "NATS_URL": urls, "NATS_REPLICAS": str(len(NATS_NODES))}
