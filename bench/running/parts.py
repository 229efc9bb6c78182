"""The processes that are measured: the product's own parts and the bench's, each ended by its own number."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import msgspec
import nats
import psutil
from nats.aio.client import Client

from bench.running.code import OWN, ROOT, Code
from cli.config.settings import SETTINGS
from deploy.local.nats import USERS_CONF
from deploy.local.parts import NotReady, Part, probe_http
from deploy.local.settings import load_stack
from deploy.local.stack import declare_parts
from shared.bus.identity import seed_file
from shared.bus.rights import OPERATOR, inbox_of
from shared.process.health import Readiness
from tests.servers.ports import free_ports

_PORTS = (
    "GATEWAY_PORT",
    "ORCHESTRATOR_PORT",
    "INDEXER_PORT",
    "INFERENCE_PORT",
    "NATS_PORT",
    "NATS_MONITOR_PORT",
    "POSTGRES_PORT",
    "REDIS_PORT",
    "REDIS_CACHE_PORT",
)
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0


class Installation:
    """A data folder, ports of its own, and the parts that run on them while `running` does."""

    def __init__(self, folder: Path, code: Code = OWN, **settings: str) -> None:
        self.folder = folder
        self._code = code
        folder.mkdir(parents=True, exist_ok=True)
        ports = {name: str(port) for name, port in zip(_PORTS, free_ports(len(_PORTS)), strict=True)}
        self._own = {"PANDORA_DATA_DIR": str(folder), "LOG_LEVEL": "WARNING", **ports, **settings}
        self.environment = {**bare_environment(code.root), **self._own}
        with _environment(self.environment):
            self.settings = load_stack()
            self._parts = declare_parts(self.settings)
        self._pids: dict[str, int] = {}

    def beside(self, **settings: str) -> "Installation":
        """The same installation with another port or two, for one more process of a service."""
        return Installation(self.folder, self._code, **{**self._own, **settings})

    def has(self, module: str) -> bool:
        """Whether the code that is measured has this module."""
        return (self._code.root / Path(*module.split(".")).with_suffix(".py")).exists()

    def pid_of(self, part: str) -> int:
        return self._pids[part]

    def processor_seconds(self) -> dict[str, float]:
        """What each part that runs has taken of the processors so far, its child processes included."""
        return {name: sum(map(_seconds, _family(pid))) for name, pid in self._pids.items()}

    @property
    def gateway_port(self) -> int:
        return self.settings.gateway.gateway_port

    async def bus(self, identity: str = OPERATOR) -> Client:
        """A client over bare NATS, with the rights of the operator or of a service."""
        seed = seed_file(self.settings.local.nats_users, identity)
        return await nats.connect(
            self.settings.local.bus_url, nkeys_seed=str(seed), inbox_prefix=inbox_of(identity)
        )

    @asynccontextmanager
    async def running(self, *groups: str | tuple[str, ...], **instead: str) -> AsyncIterator[None]:
        """Starts group after group, the parts of one side by side; `instead` names other modules for parts.

        Services may be left out: one that started is ready, whatever it says of those that it misses.
        """
        async with AsyncExitStack() as stack:
            for group in groups:
                names = (group,) if isinstance(group, str) else group
                for name in names:
                    await stack.enter_async_context(self._spawned(name, instead.get(name)))
                await asyncio.gather(*(self._until_ready(self._parts[name]) for name in names))
            yield

    @asynccontextmanager
    async def _spawned(self, name: str, module: str | None) -> AsyncIterator[None]:
        part = self._parts[name]
        if part.prepare is not None:
            # On asyncio's own loop, as `pandora up`: uvloop starts no process as another user.
            await asyncio.to_thread(lambda: asyncio.run(_prepared(part)))
            if name == "nats" and not self.has("shared.bus.identity"):  # Such code connects as nobody.
                (self.folder / "run" / USERS_CONF).write_text("")
        command = self._command(part, module)
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: ASYNC220  # it only forks
                command,
                cwd=part.folder or self.folder,
                env=self.environment,
                user=part.user,
                group=part.user,
                extra_groups=[] if part.user else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pids[name] = process.pid
        try:
            yield
        finally:
            await end(process, part.stop_signal)

    def _command(self, part: Part, instead: str | None) -> list[str]:
        """Servers come from this environment; services are those of the code that is measured."""
        module = instead or (part.command[2] if part.command[0] == sys.executable else None)
        return list(part.command) if module is None else self._code.command(module)

    async def _until_ready(self, part: Part) -> None:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                with contextlib.suppress(NotReady, aiohttp.ClientError):
                    await (_probe_start(part) if "-m" in part.command else part.probe())
                    return
                await asyncio.sleep(0.05)


async def _probe_start(service: Part) -> None:
    """Raises NotReady until its own start is over, whether or not all others that it knows of are there."""
    url = f"http://127.0.0.1:{service.listeners[0].port}/readyz"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        if "start" in msgspec.json.decode(await response.read(), type=Readiness).dependencies:
            raise NotReady("not started")


@asynccontextmanager
async def server(module: str, port: int, *arguments: str) -> AsyncIterator[int]:
    """A server of the bench's own: its port, once it answers."""
    command = [sys.executable, "-m", module, str(port), *arguments]
    async with answering(command, f"http://127.0.0.1:{port}/healthz", bare_environment()):
        yield port


@asynccontextmanager
async def answering(command: Sequence[str], url: str, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """Runs a server while the context lasts, which begins once `url` answers. Returns its process's number.

    What it prints is not shown.
    """
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: ASYNC220  # it only forks
    try:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                with contextlib.suppress(NotReady):
                    await probe_http(url)
                    break
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        await end(process)


async def end(process: subprocess.Popen[bytes], stop_signal: int = signal.SIGTERM) -> None:
    """As asked for, and by force where it does not."""
    process.send_signal(stop_signal)
    try:
        await asyncio.to_thread(process.wait, _STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait)


async def _prepared(part: Part) -> None:
    assert part.prepare is not None
    await part.prepare()


def bare_environment(root: Path = ROOT) -> dict[str, str]:
    """Whatever this machine's Pandora is set to, the figures are those of the defaults."""
    names = {field.upper() for kind in SETTINGS.values() for field in kind.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in names}
    return {**kept, "PYTHONPATH": str(root)}


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    """With those of its children that have ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


@contextmanager
def _environment(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
