"""The check of all ports before the start: each must be free. An error names the setting to change."""

import socket
from collections.abc import Iterable, Iterator

import psutil

from deploy.local.parts import Listener, Part
from shared.process.environment import SettingsError


def check_ports(parts: Iterable[Part]) -> None:
    """Raises SettingsError with one line for each port that is taken or set twice."""
    problems = list(_problems([listener for part in parts for listener in part.listeners]))
    if problems:
        raise SettingsError("\n".join(problems))


def _problems(listeners: list[Listener]) -> Iterator[str]:
    seen: dict[int, str] = {}
    for listener in listeners:
        setting, port = listener.setting, listener.port
        if port in seen:
            yield f"{listener.origin}: {seen[port]} is the same port. Set one of them to a free port."
            continue
        seen[port] = setting
        reason = _why_not(listener)
        if reason:
            yield (
                f"{listener.origin}: cannot listen on {listener.host}:{port} ({reason}). "
                f"Stop what uses the port, or set {setting} to a free one."
            )


def _why_not(listener: Listener) -> str | None:
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            listener.host, listener.port, type=socket.SOCK_STREAM
        )
        with socket.socket(family, kind, protocol) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
            attempt.listen(1)
    except OSError as error:
        return f"{error.strerror}{_owner(listener.port)}"
    return None


def _owner(port: int) -> str:
    """Returns ` by nginx, process 4711`, or "" where the system does not show it."""
    try:
        for connection in psutil.net_connections("tcp"):
            is_it = (
                connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            )
            if is_it and connection.pid:
                return f" by {psutil.Process(connection.pid).name()}, process {connection.pid}"
    except (psutil.Error, OSError):
        pass
    return ""
