"""A nats-server of one's own, for tests that change streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

from nats.js.api import StreamState

from deploy.local.nats import find_server
from shared.bus import Bus
from shared.settings import CommonSettings
from tests.stack import free_ports


@asynccontextmanager
async def nats_server() -> AsyncIterator[str]:
    """Its URL; JetStream is on, and its store goes with it."""
    (port,) = free_ports(1)
    with TemporaryDirectory() as store:
        server = await asyncio.create_subprocess_exec(
            find_server(),
            "-a",
            "127.0.0.1",
            "-p",
            str(port),
            "-js",
            "-sd",
            store,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await _until_it_listens(port)
            yield f"nats://127.0.0.1:{port}"
        finally:
            server.terminate()
            await server.wait()


@asynccontextmanager
async def bus_to(
    url: str, service: str = "test", *, retry_seconds: float = 1.0, hold_seconds: float | None = None
) -> AsyncIterator[Bus]:
    settings = CommonSettings.model_construct(
        nats_url=url, stop_timeout_seconds=2.0, publish_retry_seconds=retry_seconds
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
