"""Connections that the guard checks as they are made.

A name is resolved once. All addresses in the answer are checked, and the connection goes to one of these. So
a name that changes its answer a moment later (DNS rebinding) is not resolved again. TLS and the Host header
use the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from services.orchestrator.web.guard import WebGuard

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a name. Raises OSError where there are none."""
_MOST_ADDRESSES: Final = 8


async def look_up(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _CheckedNames(AbstractResolver):
    """Refuses a name where any of its addresses is not allowed: public and private together are an attack."""

    def __init__(self, guard: WebGuard, look_up: LookUp) -> None:
        self._guard = guard
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._look_up(host, port)
        if not addresses:
            raise OSError(f"{host} has no address")
        for address in addresses:
            self._guard.check_address(address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses[:_MOST_ADDRESSES]
        ]

    async def close(self) -> None:
        pass


def guarded_connector(guard: WebGuard, look_up: LookUp, *, tls: Any = True) -> TCPConnector:
    """Asks the guard again for each socket, right before the connection."""

    def checked_socket(address: Any) -> socket.socket:
        family, kind, protocol, _, place = address
        guard.check_address(place[0])
        return socket.socket(family, kind, protocol)

    return TCPConnector(
        resolver=_CheckedNames(guard, look_up),
        use_dns_cache=False,
        force_close=True,
        happy_eyeballs_delay=None,  # One address after the other: a race would lose the guard's error.
        socket_factory=checked_socket,
        ssl=tls,
    )
