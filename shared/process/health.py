"""What a process says of itself on its port: `/healthz`, `/readyz` and `/metrics`."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = logging.getLogger(__name__)
Check = Callable[[], Awaitable[None]]
CHECK_SECONDS: Final = 2.0
"""How long one dependency may take to answer."""
_COLLECT_AFTER: Final = (10_000, 20, 20)
"""A turn makes thousands of objects and hardly a cycle. Python's own 700 took 5 % of the processor time."""
START: Final = "start"
"""Stands among the dependencies until the process has started."""
_PROBES: Final = ("/healthz", "/readyz", "/metrics")


class Health:
    """The state of a process: is it started, is it to stop, and which dependencies work."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._helpers: set[str] = set()
        self.started = False
        self.stopping = asyncio.Event()

    def depends_on(self, name: str, check: Check) -> None:
        """`check` raises where the dependency cannot be used. `/readyz` shows its message."""
        self._checks[name] = check

    def tells_of(self, name: str, check: Check) -> None:
        """The same of what is shown, and not needed: without it the process works on, in another way."""
        self._checks[name] = check
        self._helpers.add(name)

    async def run_until_stopped(self) -> None:
        """The last call of a start: the process is ready. Returns when it is to stop."""
        # What the start has made (torch, routes, types) stays until the end. The garbage collector would read
        # it again and again: it stopped the indexer for up to 0.3 s, a fifth of the cost of searches.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        self.started = True
        log.info("ready")
        await self.stopping.wait()

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Returns True where all is well, and the state of each dependency."""
        names = list(self._checks)
        results = await asyncio.gather(*(self._state(self._checks[name]) for name in names))
        states = dict(zip(names, results, strict=True))
        if not self.started:
            states[START] = "not finished"
        if self.stopping.is_set():
            states["stop"] = "under way"
        return all(state == "ok" for name, state in states.items() if name not in self._helpers), states

    @staticmethod
    async def _state(check: Check) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:g} s"
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


def with_health(app: Any, health: Health) -> Callable[..., Awaitable[None]]:
    """`app` with health and metrics on the same port. `app` does not count or trace those requests."""
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
