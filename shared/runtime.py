"""How every service runs: settings, logs, signals, one port for health and metrics, an orderly stop."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import uvicorn
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.bus import Bus
from shared.errors import SettingsError, Transient
from shared.logs import configure_logs
from shared.replies import Request
from shared.settings import CommonSettings, load
from shared.tracing import configure_tracing

log = logging.getLogger(__name__)
S = TypeVar("S", bound=CommonSettings)
Check = Callable[[], Awaitable[None]]
_CHECK_SECONDS = 2.0
_PROBES = ("/healthz", "/readyz", "/metrics")


class Health:
    """What `/readyz` says: each dependency by name, and whether the start is over."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self.started = False
        self.stopping = asyncio.Event()

    def depends_on(self, name: str, check: Check) -> None:
        """`check` raises where the dependency is not usable; its message is what people read."""
        self._checks[name] = check

    async def run_until_stopped(self) -> None:
        """Called last in a start: says ready, and returns when the process is told to stop."""
        # What a start leaves (torch, routes, types) stays: to look at it again and again for cycles stopped
        # the indexer for up to a third of a second, and was a fifth of what searches cost.
        gc.collect()
        gc.freeze()
        self.started = True
        log.info("ready")
        await self.stopping.wait()

    async def report(self) -> tuple[bool, dict[str, str]]:
        """(ready, what each dependency says)."""
        names = list(self._checks)
        results = await asyncio.gather(*(self._state(self._checks[name]) for name in names))
        states = dict(zip(names, results, strict=True))
        if not self.started:
            states["start"] = "not finished"
        if self.stopping.is_set():
            states["stop"] = "under way"
        return all(state == "ok" for state in states.values()), states

    @staticmethod
    async def _state(check: Check) -> str:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await check()
        except TimeoutError:
            return f"no answer within {_CHECK_SECONDS:g} s"
        except Exception as error:
            return str(error) or type(error).__name__
        return "ok"


class Readiness(msgspec.Struct, frozen=True):
    """The body of `/readyz`."""

    ready: bool
    dependencies: dict[str, str]


def health_app(health: Health) -> Callable[..., Awaitable[None]]:
    """`/healthz`, `/readyz` and `/metrics` as a bare ASGI application."""

    async def app(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        status, content_type, body = await _answer(health, scope["path"])
        headers = [(b"content-type", content_type.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def beside_health(app: Any, health: Health) -> Callable[..., Awaitable[None]]:
    """`app`, with health and metrics on the same port and outside of what `app` counts and traces."""
    probes = health_app(health)

    async def both(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        await (probes if scope["path"] in _PROBES else app)(scope, receive, send)

    return both


async def _answer(health: Health, path: str) -> tuple[int, str, bytes]:
    match path:
        case "/healthz":
            return 200, "application/json", b'{"status":"ok"}'
        case "/readyz":
            ready, states = await health.report()
            return 200 if ready else 503, "application/json", msgspec.json.encode(Readiness(ready, states))
        case "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        case _:
            return 404, "text/plain", b"Try /healthz, /readyz or /metrics.\n"


def answers(bus: Bus, question: Request[Any]) -> Check:
    """A check that another service answers."""

    async def check() -> None:
        await bus.ask(question, timeout=_CHECK_SECONDS)

    return check


async def until_there(what: str, attempt: Callable[[], Awaitable[None]]) -> None:
    """Repeats `attempt` while it raises Transient: services may start in any order."""
    waited = False
    while True:
        try:
            return await attempt()
        except Transient as error:
            log.log(logging.DEBUG if waited else logging.INFO, "waiting for %s: %s", what, error)
            waited = True
            await asyncio.sleep(min(error.retry_in, 0.25))


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: `run` has them for the whole process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def serve_http(
    app: Any, host: str, port: int, setting: str, *, stop_timeout: float = 5.0
) -> AsyncIterator[None]:
    """Serves an ASGI application while the block runs. Raises SettingsError where the port is taken."""
    listener = _bind(host, port, setting)
    server = _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(stop_timeout),
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


def _bind(host: str, port: int, setting: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{setting}={port}: cannot listen on {host}:{port} ({error.strerror}). "
            f"Stop what uses the port, or set {setting} to a free one."
        ) from error
    return listener


def main(name: str, kind: type[S], serve: Callable[[S, Health], Awaitable[None]]) -> None:
    """The whole life of a service process; exit status 2 with one line where a setting is wrong."""
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
        work.cancel()  # It may be waiting for a server that never comes.
    _, late = await asyncio.wait({work}, timeout=2 * settings.stop_timeout_seconds)
    for task in late:
        log.warning("not stopped in time; cancelled")
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
