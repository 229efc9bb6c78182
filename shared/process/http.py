"""The HTTP server of a process."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import uvicorn

from shared.process.environment import CLIENT_SILENCE_SECONDS, SettingsError
from shared.process.slow_clients import GuardedProtocol

_GONE_SECONDS: Final = 120
"""A client whose machine or network is gone closes nothing. Its connection is closed after so long."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: `shared.process.runtime` has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def serve_http(
    app: Any,
    host: str,
    port: int,
    setting: str,
    *,
    stop_timeout: float = 5.0,
    tls: ssl.SSLContext | None = None,
    trusted_proxies: Sequence[str] = (),
    silence_seconds: float = CLIENT_SILENCE_SECONDS,
) -> AsyncIterator[None]:
    """Serves an ASGI application while the block runs. Raises SettingsError where the port is in use.

    `trusted_proxies`: addresses whose `X-Forwarded-For` and `-Proto` say who asks, and how. A client that is
    slower than `silence_seconds`, as GuardedProtocol has it, is cut off.
    """
    listener = _bind(host, port, setting)
    guarded: Any = partial(GuardedProtocol, silence_seconds=silence_seconds)
    server = _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=guarded,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=list(trusted_proxies),
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
        _notice_who_is_gone(listener)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{setting}={port}: cannot listen on {host}:{port} ({error.strerror}). "
            f"Stop what uses the port, or set {setting} to a free one."
        ) from error
    return listener


def _notice_who_is_gone(listener: socket.socket) -> None:
    """Connections that the listener takes have these options too."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        for option, value in (
            (socket.TCP_KEEPIDLE, _GONE_SECONDS // 2),
            (socket.TCP_KEEPINTVL, _GONE_SECONDS // 8),
            (socket.TCP_KEEPCNT, 4),
            (socket.TCP_USER_TIMEOUT, 1000 * _GONE_SECONDS),
        ):
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
