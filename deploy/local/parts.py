"""A part: one program of the stack, and how the launcher sees that it is ready."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec

_PROBE_SECONDS = 5.0
_PROBE = aiohttp.ClientTimeout(total=_PROBE_SECONDS)


class NotReady(Exception):
    """The part is not ready yet. The message says what it waits for."""

    def __init__(self, reason: str, *, has_started: bool = False) -> None:
        """`has_started`: it does its work as soon as what it needs of others is there."""
        super().__init__(reason)
        self.has_started = has_started


class Listener(msgspec.Struct, frozen=True):
    """An address that a part listens on, with the setting that changes it."""

    host: str
    port: int
    setting: str
    shift: int = 0
    """How far the port is above the setting's value. The servers of a cluster share one setting."""

    @property
    def origin(self) -> str:
        """`NATS_PORT=4222`, or `NATS_PORT=4222 + 1` for the second server."""
        value = f"{self.setting}={self.port - self.shift}"
        return f"{value} + {self.shift}" if self.shift else value


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One program: how to probe, prepare, start and stop it."""

    name: str
    probe: Callable[[], Awaitable[None]]
    """Raises NotReady while the part is not ready, and SettingsError where it never will be."""
    command: tuple[str, ...] = ()
    """Empty: a server of your own. The launcher only waits for it."""
    listeners: tuple[Listener, ...] = ()
    """The first is the part's own. The others are for monitoring."""
    prepare: Callable[[], Awaitable[None]] | None = None
    """Runs before each start, and makes folders and files."""
    user: str | None = None
    """The system user that runs it; None: the launcher's own."""
    folder: str | None = None
    """Where it runs. None: in the launcher's working directory, for `.env` and relative paths."""
    environment: dict[str, str] = {}
    """Settings that go before those of the launcher's own environment."""
    stop_signal: signal.Signals = signal.SIGTERM
    has_given_up: Callable[[], Awaitable[bool]] | None = None
    """Whether it runs, and will never work again until it is started anew."""
    settings_status: int | None = None
    """Its exit status where a setting is wrong. It is not started again then."""

    @property
    def port(self) -> int | None:
        return self.listeners[0].port if self.listeners else None


async def probe_http(url: str) -> None:
    """Raises NotReady until the address answers 200. Its certificate is not looked at: nothing is sent."""
    try:
        async with aiohttp.ClientSession(timeout=_PROBE) as session, session.get(url, ssl=False) as response:
            status, body = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise NotReady("no answer yet") from None
    if status != 200:
        raise _not_ready(body, f"answers with status {status}")


async def listens(host: str, port: int) -> bool:
    """Whether a connection to it can be opened."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _not_ready(body: bytes, otherwise: str) -> NotReady:
    """Says `bus: NATS is not connected; start: not finished` for the body of `/readyz`."""
    from shared.process.health import START, Readiness  # takes half a second to import

    try:
        report = msgspec.json.decode(body, type=Readiness)
    except msgspec.DecodeError:
        return NotReady(body[:200].decode(errors="replace").strip() or otherwise)
    states = [f"{name}: {state}" for name, state in report.dependencies.items() if state != "ok"]
    return NotReady("; ".join(states) or otherwise, has_started=START not in report.dependencies)
