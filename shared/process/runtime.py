"""The life of a process: settings, logs and traces, then its work, until a signal stops it in good order."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from shared.process.environment import SettingsError
from shared.process.health import Health
from shared.process.logs import configure_logs
from shared.process.settings import CommonSettings, load
from shared.process.tracing import configure_tracing

log = logging.getLogger(__name__)
S = TypeVar("S", bound=CommonSettings)


def main(name: str, kind: type[S], serve: Callable[[S, Health], Awaitable[None]]) -> None:
    """Runs a service process. Where a setting is wrong: one line, and exit status 2."""
    try:
        settings = load(kind)
        configure_logs(settings.log_level, settings.log_format)
        configure_tracing(name, settings.otel_exporter_otlp_endpoint)
        uvloop.run(_run(settings, serve))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


async def _run(settings: S, serve: Callable[[S, Health], Awaitable[None]]) -> None:
    health = Health()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, health.stopping.set)
    work = asyncio.ensure_future(serve(settings, health))
    stop = asyncio.create_task(health.stopping.wait())
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not health.started:
        work.cancel()  # It may wait for a server that never comes.
    _, late = await asyncio.wait({work}, timeout=2 * settings.stop_timeout_seconds)
    for task in late:
        log.warning("not stopped in time; cancelled")
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
