"""The HTTP server of a process."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from shared.process.environment import SettingsError


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
) -> AsyncIterator[None]:
    """Serves an ASGI application while the block runs. Raises SettingsError where the port is in use.

    `trusted_proxies`: addresses whose `X-Forwarded-For` and `-Proto` say who asks, and how.
    """
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
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{setting}={port}: cannot listen on {host}:{port} ({error.strerror}). "
            f"Stop what uses the port, or set {setting} to a free one."
        ) from error
    return listener
