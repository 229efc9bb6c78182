"""Which addresses of the web may be read: public ones, and every connection is checked as it is made.

A name is resolved once. All of its answers are checked, and the connection goes to one of these very
addresses: a name that answers otherwise a moment later (DNS rebinding) is not asked again. Names stay names
for TLS and for the Host header.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

Network = IPv4Network | IPv6Network
LookUp = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises OSError where there are none."""

_LONGEST_URL: Final = 2000
_MOST_ADDRESSES: Final = 8
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_USER: Final = re.compile(r"[^/?#]*//[^/?#]*@")
_HAS_USER: Final = "the address has a user name or a password in it; leave them out"
_NUMERIC: Final = re.compile(r"(\d+|0x[0-9a-f]*)")
"""As the last part of a host: browsers and resolvers take such a host for an IPv4 address in disguise."""
_NO_V4: Final = [
    IPv4Network(network)
    for network in (
        "192.0.0.0/24",  # of the IETF
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's own services
    )
]
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All else is local, or holds an IPv4 address (mapped, NAT64), or is nobody's yet."""
_NO_V6: Final = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # of the IETF; Teredo holds IPv4 addresses
        "2002::/16",  # 6to4 holds IPv4 addresses
        "3fff::/20",  # documentation
    )
]
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)


class Forbidden(Exception):
    """This address is not read; the message says why."""


class WebGuard:
    def __init__(self, *, allowed: Sequence[Network] = (), ports: Sequence[int] = ()) -> None:
        """`allowed` are networks that may be reached although they are not public, `ports` more ports than
        80 and 443."""
        self._allowed = tuple(allowed)
        self._ports = frozenset((*_PORTS.values(), *ports))

    def read_url(self, text: str) -> URL:
        """Raises Forbidden."""
        if len(text) > _LONGEST_URL:
            raise Forbidden(f"the address is longer than {_LONGEST_URL} characters")
        if re.search(r"[\x00-\x20\x7f\\]", text):
            raise Forbidden("the address has a space, a backslash or a control character in it")
        if _USER.match(text):
            raise Forbidden(_HAS_USER)
        return self._read(lambda: URL(text))

    def read_redirect(self, origin: URL, location: str) -> URL:
        """Where a page says that it is instead. Raises Forbidden."""
        return self._read(lambda: origin.join(URL(location)))

    def _read(self, make: Callable[[], URL]) -> URL:
        try:
            url = make().with_fragment(None)
            self.check_url(url)
        except ValueError as error:
            raise Forbidden(f"this is no address: {error}") from error
        return url

    def check_url(self, url: URL) -> None:
        if url.scheme not in _PORTS:
            raise Forbidden(f"only http:// and https:// are read, not {url.scheme[:20] or 'bare'} addresses")
        if "@" in url.raw_authority:
            raise Forbidden(_HAS_USER)
        if url.port not in self._ports:
            raise Forbidden(f"port {url.port} is not read; ports are {sorted(self._ports)}")
        self._check_host(url.raw_host or "")

    def check_address(self, address: str) -> None:
        """Of the machine that would be connected to."""
        ip = ip_address(address.partition("%")[0])
        if any(ip in network for network in self._allowed):
            return
        if "%" in address or not is_public(ip):
            raise Forbidden(f"{address} is no public address; only the public web is read")

    def _check_host(self, host: str) -> None:
        if ":" in host:
            return self.check_address(host)
        name = host.lower().removesuffix(".")
        if _HOST.fullmatch(name) is None:
            raise Forbidden("the address has no valid host")
        if _NUMERIC.fullmatch(name.rpartition(".")[2]) is None:
            return None
        try:
            plain = str(IPv4Address(name))
        except ValueError as error:
            raise Forbidden(f"the host {name[:50]} is no plain IPv4 address; write four numbers") from error
        return self.check_address(plain)


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Reached over the internet, and by nothing that hides another address."""
    if ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_unspecified or not ip.is_global:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NO_V4)
    holds_v4 = (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP
    return ip in _GLOBAL_V6 and not holds_v4 and not any(ip in network for network in _NO_V6)


async def look_up(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _CheckedNames(AbstractResolver):
    """One bad answer spoils all: who mixes public and private addresses for a name means no good."""

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
    """Connects to nothing that the guard has not seen: it is asked again as each socket is made."""

    def checked_socket(address: Any) -> socket.socket:
        family, kind, protocol, _, place = address
        guard.check_address(place[0])
        return socket.socket(family, kind, protocol)

    return TCPConnector(
        resolver=_CheckedNames(guard, look_up),
        use_dns_cache=False,
        force_close=True,
        happy_eyeballs_delay=None,  # One after the other; a race would swallow the guard's word.
        socket_factory=checked_socket,
        ssl=tls,
    )
