"""nats-servers of the tests: one that many tests share, and one that a test stops, freezes or kills."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from nats.js.api import StreamState

from deploy.local.nats import USERS_CONF, find_server, render_configuration
from deploy.local.nats_users import write_users
from deploy.local.order import NATS_NODES
from deploy.local.parts import NotReady, probe_http
from deploy.local.settings import LocalSettings
from shared.bus.connection import Bus
from shared.process.settings import CommonSettings
from tests.servers.ports import free_ports, free_ports_in_a_row
from tests.servers.processes import HeldServer


class NatsServer(HeldServer):
    """A server with JetStream. Its store stays while a test stops it and starts it again."""

    def __init__(self, store: str, *options: str) -> None:
        super().__init__()
        (self.port,) = free_ports(1)
        self.store = store
        self._options = ("-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", store, *options)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def url_as(self, user: str) -> str:
        return f"nats://{user}:{user}@127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            find_server(), *self._options, stderr=asyncio.subprocess.DEVNULL
        )
        await _until_it_listens(self.port)


@asynccontextmanager
async def nats_in_hand(*options: str) -> AsyncIterator[NatsServer]:
    with TemporaryDirectory() as store:
        server = NatsServer(store, *options)
        await server.start()
        try:
            yield server
        finally:
            await server.stop(signal.SIGKILL)  # Its store goes with it, so it has nothing to save.


class NatsAccounts:
    """Accounts of one server. No account sees the streams, subjects and services of another."""

    NO_USER = "no-user"
    """The account of connections without a user."""

    def __init__(self, server: NatsServer, names: Sequence[str]) -> None:
        self.server = server
        self._names = cycle(names)

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """The URL of an account with nothing in it. What a test leaves there is deleted afterwards."""
        url = self.server.url_as(next(self._names))
        yield url
        async with bus_to(url) as bus:
            for stream in await bus.jetstream.streams_info():
                await bus.jetstream.delete_stream(str(stream.config.name))


@asynccontextmanager
async def nats_accounts(many: int = 16) -> AsyncIterator[NatsAccounts]:
    """One account is used at a time. The others give late messages of earlier tests time to end."""
    names = [f"test-{number}" for number in range(many)]
    with TemporaryDirectory() as folder:
        configuration = Path(folder) / "nats.conf"
        configuration.write_text(_with_accounts([NatsAccounts.NO_USER, *names]))
        async with nats_in_hand("-c", str(configuration)) as server:
            yield NatsAccounts(server, names)


def _with_accounts(names: Sequence[str]) -> str:
    accounts = "\n".join(
        f"  {name} {{ jetstream: enabled, users: [{{ user: {name}, password: {name} }}] }}" for name in names
    )
    return f"""max_payload: 8MB
no_auth_user: {NatsAccounts.NO_USER}
accounts {{
{accounts}
}}
"""


@asynccontextmanager
async def nats_cluster(folder: Path) -> AsyncIterator[str]:
    """The URLs of the three servers that `pandora up --cluster` would start, once they have a leader.

    Their users are in `folder / "nats-users"`.
    """
    first = free_ports_in_a_row(9)
    users = folder / "nats-users"
    settings = LocalSettings.model_construct(
        nats_port=first,
        nats_monitor_port=first + 3,
        nats_cluster_port=first + 6,
        nats_users_dir=users,
    )
    write_users(users, folder / USERS_CONF)
    async with AsyncExitStack() as stack:
        for shift, name in enumerate(NATS_NODES):
            file = folder / f"{name}.conf"
            file.write_text(
                render_configuration(settings, folder / name, name=name, shift=shift, clustered=True)
            )
            server = await asyncio.create_subprocess_exec(
                find_server(), "-c", file, stderr=asyncio.subprocess.DEVNULL
            )
            stack.push_async_callback(_end, server)
        for shift in range(len(NATS_NODES)):
            await _until_healthy(settings.nats_monitor_port + shift)
        yield ",".join(f"nats://127.0.0.1:{first + shift}" for shift in range(len(NATS_NODES)))


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
    users: Path | None = None,
) -> AsyncIterator[Bus]:
    """`users`: the folder of the seeds, where the server asks for them."""
    settings = CommonSettings.model_construct(
        nats_url=url,
        nats_users_dir=users,
        request_timeout_seconds=timeout,
        stop_timeout_seconds=2.0,
        publish_retry_seconds=retry_seconds,
    )
    async with Bus.connect(service, settings, hold_seconds=hold_seconds) as bus:
        yield bus


async def state(bus: Bus, stream: str) -> StreamState:
    return (await bus.jetstream.stream_info(stream)).state


async def until(bus: Bus, stream: str, messages: int) -> None:
    """Waits until a stream holds so many messages. JetStream sends no notice of it: one has to look."""
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
