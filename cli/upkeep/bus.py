"""The bus, for a command: it connects within seconds, or says in one line that no server answers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from cli.terminal.failure import CommandFailed
from deploy.local.settings import LocalSettings
from shared.bus.connection import Bus
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Ping
from shared.process.settings import load

_CONNECT_SECONDS = 5.0


@asynccontextmanager
async def bus_of(settings: LocalSettings) -> AsyncIterator[Bus]:
    """Raises CommandFailed where no server answers."""
    async with AsyncExitStack() as stack:
        stack.enter_context(_without_connection_log())
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                bus = await stack.enter_async_context(Bus.connect("operator", settings.for_a_command()))
        except TimeoutError as error:
            raise CommandFailed(
                f"No NATS answers at {settings.bus_url}. Start Pandora with `pandora up`, or set NATS_URL."
            ) from error
        yield bus


@asynccontextmanager
async def bus_to_indexer() -> AsyncIterator[Bus]:
    """Raises CommandFailed where the indexer does not answer, or refuses."""
    async with bus_of(load(LocalSettings)) as bus:
        try:
            await bus.ask(Ping())  # What comes next may take minutes.
            yield bus
        except Refused as refusal:
            raise CommandFailed(f"The indexer refused: {refusal.detail}.") from refusal
        except Transient as error:
            raise CommandFailed(
                f"The indexer does not answer ({error}). See `pandora status`, then run the same again."
            ) from error


@contextmanager
def _without_connection_log() -> Iterator[None]:
    """Logs nothing of the tries to connect: the command says in one line how they ended."""
    log = logging.getLogger("shared.bus.connection")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
