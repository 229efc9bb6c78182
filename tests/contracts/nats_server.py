"""A nats-server of one's own, for tests that change streams."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nats.js.api import StreamState

from deploy.local.nats import MEMBERS, find_server, render_configuration
from deploy.local.parts import NotReady, probe_http
from deploy.local.settings import LocalSettings
from shared.bus import Bus
from shared.settings import CommonSettings
from tests.stack import free_ports, free_ports_in_a_row, pause


class NatsServer:
    """One that a test stops, freezes and starts again, with JetStream and a store that stays."""

    def __init__(self, store: str) -> None:
        (self._port,) = free_ports(1)
        self._store = store
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            find_server(),
            *("-a", "127.0.0.1", "-p", str(self._port), "-js", "-sd", self._store),
            stderr=asyncio.subprocess.DEVNULL,
        )
        await _until_it_listens(self._port)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            await self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stand, and nothing is answered."""
        assert self._process is not None
        pause(self._process.pid)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def nats_in_hand() -> AsyncIterator[NatsServer]:
    with TemporaryDirectory() as store:
        server = NatsServer(store)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


@asynccontextmanager
async def nats_server() -> AsyncIterator[str]:
    """Its URL; JetStream is on, and its store goes with it."""
    async with nats_in_hand() as server:
        yield server.url


@asynccontextmanager
async def nats_cluster(folder: Path) -> AsyncIterator[str]:
    """The URLs of the three servers that `pandora up --cluster` would start, once they have a leader."""
    first = free_ports_in_a_row(9)
    settings = LocalSettings.model_construct(
        nats_port=first, nats_monitor_port=first + 3, nats_cluster_port=first + 6
    )
    async with AsyncExitStack() as stack:
        for shift, name in enumerate(MEMBERS):
            file = folder / f"{name}.conf"
            file.write_text(
                render_configuration(settings, folder / name, name=name, shift=shift, clustered=True)
            )
            server = await asyncio.create_subprocess_exec(
                find_server(), "-c", file, stderr=asyncio.subprocess.DEVNULL
            )
            stack.push_async_callback(_end, server)
        for shift in range(len(MEMBERS)):
            await _until_healthy(settings.nats_monitor_port + shift)
        yield ",".join(f"nats://127.0.0.1:{first + shift}" for shift in range(len(MEMBERS)))


async def _end(server: asyncio.subprocess.Process) -> None:
    server.terminate()
    await server.wait()


async def _until_healthy(monitor_port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await probe_http(f"http://127.0.0.1:{monitor_port}/healthz")
            except NotReady:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def bus_to(
    url: str,
    service: str = "test",
    *,
    timeout: float = 5.0,
    retry_seconds: float = 1.0,
    hold_seconds: float | None = None,
) -> AsyncIterator[Bus]:
    settings = CommonSettings.model_construct(
        nats_url=url,
        request_timeout_seconds=timeout,
        stop_timeout_seconds=2.0,
        publish_retry_seconds=retry_seconds,
    )
    async with Bus.connect(service, settings, hold_seconds=hold_seconds) as bus:
        yield bus


async def state(bus: Bus, stream: str) -> StreamState:
    return (await bus.jetstream.stream_info(stream)).state


async def until(bus: Bus, stream: str, messages: int) -> None:
    """JetStream tells nobody how full a stream is: one has to look."""
    while (await state(bus, stream)).messages != messages:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
