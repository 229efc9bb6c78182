"""The guard of research.fetch, by property: no spelling and no detour makes a local address a public one."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

import pytest
from aiohttp import ClientSession
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.web.connector import guarded_connector
from services.orchestrator.web.guard import Forbidden, WebGuard, is_public

LOCAL = [
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "203.0.113.0/24", "224.0.0.0/3"),
    )
]
LOCAL_ADDRESSES = st.sampled_from(LOCAL).flatmap(
    lambda network: st.integers(int(network[0]), int(network[-1])).map(IPv4Address)
)
IPV4 = st.integers(0, 2**32 - 1).map(IPv4Address)
IPV6 = st.integers(0, 2**128 - 1).map(IPv6Address)


@settings(deadline=None)
@given(LOCAL_ADDRESSES)
def test_no_local_address_is_public(address: IPv4Address) -> None:
    assert not is_public(address)


@settings(deadline=None)
@given(LOCAL_ADDRESSES, st.data())
def test_no_spelling_of_a_local_address_is_read(address: IPv4Address, data: st.DataObject) -> None:
    whole = int(address)
    parts = [
        data.draw(st.sampled_from([str(part), f"0{part:o}", f"0x{part:x}", f"{part:03d}"]))
        for part in address.packed
    ]
    spelling = data.draw(
        st.sampled_from(
            [
                ".".join(parts),
                f"{whole}",
                f"0x{whole:x}",
                f"0{whole:o}",
                f"{whole >> 24}.{whole & 0xFFFFFF}",
                f"{whole >> 24}.{whole >> 16 & 255}.{whole & 0xFFFF}",
                f"[::ffff:{address}]",
                f"[::{address}]",
                f"[64:ff9b::{address}]",
                f"[2002:{whole >> 16:x}:{whole & 0xFFFF:x}::1]",
                f"[2606:4700::5efe:{address}]",
            ]
        )
    )

    with pytest.raises(Forbidden):
        WebGuard().read_url(f"http://{spelling}{data.draw(st.sampled_from(['', '.', '/', ':80']))}")


@settings(deadline=None)
@given(IPV4)
def test_an_ipv6_address_that_holds_an_ipv4_one_is_never_public(address: IPv4Address) -> None:
    whole = int(address)
    for held in (
        IPv6Address(whole),
        IPv6Address((0xFFFF << 32) | whole),
        IPv6Address((0x0064_FF9B << 96) | whole),
        IPv6Address((0x2002 << 112) | (whole << 80)),
        IPv6Address((0x2001_0000 << 96) | whole),
        IPv6Address((0x2606_4700 << 96) | (0x5EFE << 32) | whole),
    ):
        assert not is_public(held)


@settings(deadline=None)
@given(IPV6)
def test_public_ipv6_is_what_is_given_out(address: IPv6Address) -> None:
    assert address in IPv6Network("2000::/3") or not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00::1"]
)
def test_public_addresses_are_read(address: str) -> None:
    host = f"[{address}]" if ":" in address else address

    assert WebGuard().read_url(f"https://{host}/page#part").path == "/page"


@settings(deadline=None)
@given(st.text(max_size=60).map(lambda text: f"http://{text}") | st.text(max_size=60))
def test_whatever_is_given_is_an_address_or_refused(text: str) -> None:
    try:
        url = WebGuard().read_url(text)
    except Forbidden:
        return
    assert url.scheme in ("http", "https")
    assert url.port in (80, 443)
    assert url.raw_host
    assert url.raw_user is None


async def test_the_guard_is_asked_again_as_the_connection_is_made() -> None:
    class Fickle(WebGuard):
        asked = 0

        def check_address(self, address: str) -> None:
            self.asked += 1
            if self.asked > 1:
                raise Forbidden("not any more")

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    async def look_up(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with listening:
        async with ClientSession(connector=guarded_connector(Fickle(), look_up)) as session:
            with pytest.raises(Forbidden, match="not any more"):
                await session.get(f"http://site.test:{port}/")
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
