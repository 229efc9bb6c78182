"""research.fetch stops: at so many bytes and so many seconds, packed or not."""

import asyncio
import time
from ipaddress import ip_network

import pytest

from services.orchestrator.tools.ports import Page, Unreadable
from services.orchestrator.web import trafilatura as web_text
from services.orchestrator.web.http import WebLimits, WebReader
from tests.contracts.tools.web_site import ARTICLE, PUBLIC, Names, Site, reader_of, refused


async def test_a_body_of_50_mb_is_not_read_to_its_end(site: Site) -> None:
    site.stream("/", b"x" * 100_000, 500)

    assert "it is larger than 1 MB" in await refused(reader_of(site), site.url("/"))
    assert site.sent_bytes < 20_000_000


async def test_a_body_that_says_it_is_too_long_is_not_read_at_all(site: Site) -> None:
    site.stream("/", b"x" * 1000, None, length="50000000")

    assert "it is larger than 1 MB" in await refused(reader_of(site), site.url("/"))
    assert site.sent_bytes < 1_000_000


async def test_an_endless_body_ends(site: Site) -> None:
    site.stream("/", b"x" * 10_000, None)

    assert "it is larger than 1 MB" in await refused(reader_of(site), site.url("/"))


async def test_a_slow_body_ends(site: Site) -> None:
    site.stream("/", b"x", None, pause=0.05)
    began = time.monotonic()

    reason = await refused(reader_of(site, limits=WebLimits(seconds=0.5)), site.url("/"))

    assert reason == "it took longer than 0.5 seconds"
    assert time.monotonic() - began < 10


async def test_a_server_that_says_nothing_ends() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()

    silent = await asyncio.start_server(say_nothing, PUBLIC, 0)
    port = silent.sockets[0].getsockname()[1]
    reader = WebReader(
        allowed=[ip_network(PUBLIC)],
        ports=[port],
        look_up=Names(site_test=[[PUBLIC]]),
        limits=WebLimits(seconds=0.5),
    )
    async with silent:
        assert "longer than 0.5 seconds" in await refused(reader, f"http://site.test:{port}/")


async def test_a_gzip_bomb_goes_off_in_pieces(site: Site) -> None:
    site.bomb("/", 60)

    assert "it is larger than 1 MB" in await refused(reader_of(site), site.url("/"))


async def test_a_packed_page_within_the_limit_is_read(site: Site) -> None:
    site.bomb("/", 1)

    assert (await reader_of(site).fetch(site.url("/"))).text == "0" * 1_000_000


async def test_a_body_that_looks_packed_is_not_unpacked_again(site: Site) -> None:
    """The text of a page is found by a library that would unpack bytes without any limit."""
    packed = b"\x1f\x8b\x08" + b"\0" * 1000
    site.text("/", packed, "text/html")

    reason = await refused(reader_of(site), site.url("/"))

    assert "no text" in reason or "no answer" in reason


async def test_a_page_whose_text_is_never_found_does_not_hold_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.text("/", ARTICLE)
    real = web_text.text_of_html

    def slowly(source: str, url: str) -> web_text.Text:
        time.sleep(1.0)
        return real(source, url)

    monkeypatch.setattr(web_text, "text_of_html", slowly)
    reader = reader_of(site, limits=WebLimits(seconds=5.0, text_seconds=0.2))

    reasons = await asyncio.gather(*(refused(reader, site.url("/")) for _ in range(4)))

    assert all("its text could not be found in time" in reason for reason in reasons)

    monkeypatch.setattr(web_text, "text_of_html", real)
    async with asyncio.timeout(20):
        while True:
            try:
                page: Page = await reader.fetch(site.url("/"))
            except Unreadable:
                continue
            break
    assert page.title == "How bees dance"


async def test_html_that_is_nested_without_end_is_an_error_or_a_text(site: Site) -> None:
    site.text("/", "<div>" * 100_000 + "deep")

    try:
        page = await reader_of(site).fetch(site.url("/"))
    except Unreadable:
        return
    assert page.text
