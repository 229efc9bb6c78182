"""research.fetch against servers on loopback: what is read, also after redirects, and what is refused."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from services.orchestrator.tools.ports import Unreadable
from services.orchestrator.web.freshness import expiry_of
from services.orchestrator.web.http import WebLimits, WebReader
from tests.contracts.tools.web_site import ARTICLE, PUBLIC, Names, Site, reader_of, refused


async def test_a_page_is_its_text_its_title_and_its_day(site: Site) -> None:
    site.text("/bees", ARTICLE)

    page = await reader_of(site).fetch(site.url("/bees#dance"))

    assert page.url == site.url("/bees")
    assert page.domain == f"site.test:{site.port}"
    assert page.title == "How bees dance"
    assert page.published_at == datetime(2026, 3, 14, tzinfo=UTC)
    assert "Karl von Frisch" in page.text
    assert "<p>" not in page.text
    assert "Cookies" not in page.text
    assert page.expires_at - page.fetched_at == timedelta(days=7)
    assert site.hosts[-1] == f"site.test:{site.port}"


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain; charset=utf-8", "Bees — dance.", "Bees — dance."),
        ("text/plain; charset=iso-8859-1", "Bienenköniginnen".encode("latin-1"), "Bienenköniginnen"),
        ("text/plain", "K\xf6nigin".encode("cp1252"), "Königin"),
        ("text/plain; charset=unicode_escape", b"\\u0041", "\\u0041"),
        ("text/plain; charset=no-such", b"plain", "plain"),
        ("text/markdown", "# Bees", "# Bees"),
        ("application/json", '{"bees": 3}', '{"bees": 3}'),
        ("application/ld+json", '{"bees": 3}', '{"bees": 3}'),
        ("text/xml", "<bees/>", "<bees/>"),
        ("application/atom+xml", "<feed/>", "<feed/>"),
    ],
)
async def test_other_texts_are_read_as_they_are(kind: str, body: str | bytes, text: str, site: Site) -> None:
    site.text("/it", body, kind)

    assert (await reader_of(site).fetch(site.url("/it"))).text == text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("image/png", "it is image/png; HTML, PDF, text, JSON"),
        ("application/octet-stream", "it is application/octet-stream"),
        ("video/mp4", "it is video/mp4"),
    ],
)
async def test_what_has_no_text_is_refused_before_its_body_is_read(kind: str, said: str, site: Site) -> None:
    site.stream("/it", b"x" * 100_000, None, kind=kind)

    assert said in await refused(reader_of(site), site.url("/it"))


async def test_a_page_without_text_is_said_to_have_none(site: Site) -> None:
    site.text("/app", "<html><body><script>go()</script><div id=app></div></body></html>")

    assert "there is no text in it" in await refused(reader_of(site), site.url("/app"))


async def test_an_error_of_the_server_is_said(site: Site) -> None:
    assert "the server answered 404" in await refused(reader_of(site), site.url("/gone"))


@pytest.mark.parametrize(
    ("headers", "fresh"),
    [
        ({}, timedelta(days=7)),
        ({"Cache-Control": "public, max-age=86400"}, timedelta(days=1)),
        ({"Cache-Control": "max-age=0"}, timedelta(hours=1)),
        ({"Cache-Control": "no-store, max-age=86400"}, timedelta(hours=1)),
        ({"Cache-Control": "max-age=999999999"}, timedelta(days=30)),
        ({"Expires": "Tue, 24 Nov 2026 18:00:00 GMT"}, timedelta(days=3)),
        ({"Expires": "0"}, timedelta(hours=1)),
        ({"Expires": "Tue, 24 Nov 1026 18:00:00 GMT"}, timedelta(hours=1)),
    ],
)
def test_a_page_is_fresh_for_as_long_as_it_says(headers: dict[str, str], fresh: timedelta) -> None:
    now = datetime(2026, 11, 21, 18, tzinfo=UTC)

    assert expiry_of(headers, now) - now == fresh


@pytest.mark.parametrize(
    ("path", "brief"),
    [("/gone", "HTTP 404"), ("/pdf", "broken PDF"), ("/private", "robots.txt"), ("/long", "too large")],
)
async def test_what_a_site_did_not_give_is_told_in_a_few_words(path: str, brief: str, site: Site) -> None:
    site.robots = "User-agent: *\nDisallow: /private\n"
    site.text("/pdf", "%PDF", "application/pdf")
    site.stream("/long", b"x" * 100_000, None)

    with pytest.raises(Unreadable) as error:
        await reader_of(site).fetch(site.url(path))

    assert (error.value.domain, error.value.brief) == (f"site.test:{site.port}", brief)


async def test_what_pandora_refuses_is_not_laid_at_the_door_of_the_site(site: Site) -> None:
    site.redirect("/", "http://127.0.0.1/")

    with pytest.raises(Unreadable) as error:
        await reader_of(site).fetch(site.url("/"))

    assert (error.value.domain, error.value.brief) == ("", "refused")


# --- redirects ---


async def test_redirects_are_followed_up_to_five(site: Site) -> None:
    for number in range(6):
        site.redirect(f"/{number}", f"/{number + 1}")
    site.text("/6", "here", "text/plain")
    reader = reader_of(site)

    assert (await reader.fetch(site.url("/1"))).url == site.url("/6")
    assert "redirected more than 5 times" in await refused(reader, site.url("/0"))


# --- broken servers ---


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\nnot packed",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: br\r\n\r\nnot packed",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe.test/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xf0\x9f\x98\x80:\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
        b"\x16\x03\x01\x02\x00",
    ],
)
async def test_whatever_a_server_answers_is_a_page_or_unreadable(answer: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        rules = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
        with contextlib.suppress(OSError):
            writer.write(rules if b"/robots.txt" in asked else answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    broken = await asyncio.start_server(say, PUBLIC, 0)
    port = broken.sockets[0].getsockname()[1]
    reader = WebReader(
        allowed=[ip_network(PUBLIC)],
        ports=[port],
        look_up=Names(site_test=[[PUBLIC]]),
        limits=WebLimits(seconds=2.0),
    )
    async with broken:
        assert await refused(reader, f"http://site.test:{port}/")
