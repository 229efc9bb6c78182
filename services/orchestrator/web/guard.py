"""Which addresses of the web may be read: only public ones, and no address in disguise."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from yarl import URL

Network = IPv4Network | IPv6Network
_LONGEST_URL: Final = 2000
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_USER: Final = re.compile(r"[^/?#]*//[^/?#]*@")
_HAS_USER: Final = "the address has a user name or a password in it; leave them out"
_NUMERIC: Final = re.compile(r"(\d+|0x[0-9a-f]*)")
"""A host whose last part looks so is an IPv4 address in disguise, for browsers and resolvers."""
_NO_V4: Final = [
    IPv4Network(network)
    for network in (
        "192.0.0.0/24",  # of the IETF
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's own services
    )
]
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All other addresses are local, contain an IPv4 address (mapped, NAT64), or are not assigned yet."""
_NO_V6: Final = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # of the IETF; Teredo contains IPv4 addresses
        "2002::/16",  # 6to4 contains IPv4 addresses
        "3fff::/20",  # documentation
    )
]
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)


class Forbidden(Exception):
    """The message says why this address is not read."""


class WebGuard:
    def __init__(self, *, allowed: Sequence[Network] = (), ports: Sequence[int] = ()) -> None:
        """`allowed` networks may be read although they are not public; `ports` are added to 80 and 443."""
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
        """The address that a redirect leads to. Raises Forbidden."""
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
        """Checks the IP address of a connection. Raises Forbidden."""
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
    """Whether the internet routes it, and no other address is hidden in it."""
    if ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_unspecified or not ip.is_global:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NO_V4)
    holds_v4 = (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP
    return ip in _GLOBAL_V6 and not holds_v4 and not any(ip in network for network in _NO_V6)
