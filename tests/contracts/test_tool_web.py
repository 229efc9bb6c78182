"""research.fetch against servers on loopback: what is read, what is refused, and where it stops."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from services.orchestrator.adapters import web_text
from services.orchestrator.adapters.web import WebLimits, WebReader, expiry_of
from services.orchestrator.tools.ports import Page, Unreadable
from tests.contracts.certificates import certificate_for
from tests.contracts.web_site import ARTICLE, PRIVATE, PUBLIC, Names, Site, reader_of, site_at


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with site_at(PUBLIC) as public:
        yield public


async def refused(reader: WebReader, url: str) -> str:
    with pytest.raises(Unreadable) as error:
        await reader.fetch(url)
    return error.value.reason


# --- what is read ---


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
        ("application/pdf", "it is a PDF"),
        ("image/png", "it is image/png; HTML, text, JSON"),
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
    [("/gone", "HTTP 404"), ("/pdf", "a PDF"), ("/private", "robots.txt"), ("/long", "too large")],
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


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://{private}/secret", "127.0.0.1 is no public address"),
        ("http://localhost:{port}/secret", "127.0.0.1 is no public address"),
        ("//{private}/secret", "127.0.0.1 is no public address"),
        ("http://[::1]:{port}/secret", "::1 is no public address"),
        ("http://[::ffff:127.0.0.1]:{port}/secret", "is no public address"),
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is no public address"),
        ("http://2130706433:{port}/secret", "no plain IPv4 address"),
        ("http://user:word@site.test:{port}/", "user name or a password"),
        ("http://site.test:22/", "port 22 is not read"),
        ("file:///etc/passwd", "only http:// and https:// are read, not file"),
        ("ftp://site.test/x", "not ftp"),
        ("gopher://site.test/x", "not gopher"),
        ("data:text/plain,hello", "not data"),
        ("javascript:alert(1)", "not javascript"),
        ("http://[", "no address"),
        ("", "redirected to nowhere"),
    ],
)
@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_leads_nowhere_else(location: str, said: str, status: int, site: Site) -> None:
    async with site_at(PRIVATE, port=site.port) as secret:
        secret.text("/secret", "the secret", "text/plain")
        site.redirect(
            "/", location.format(private=f"{PRIVATE}:{secret.port}", port=secret.port), status=status
        )
        names = Names(site_test=[[PUBLIC]], localhost=[["127.0.0.1"]])

        reason = await refused(reader_of(site, names=names), site.url("/"))

        assert said in reason
        assert secret.hosts == [], "nobody was connected to"


# --- addresses ---


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://site.test/x",
        "site.test/x",
        "//site.test/x",
        "http://user@site.test/",
        "http://:word@site.test/",
        "http://@site.test/",
        "http://good.test\\@evil.test/",
        "http://site.test:22/",
        "http://site.test:0/",
        "http://site.test:99999/",
        "http://",
        "http:///x",
        "http://[::1",
        "http://site test/",
        "http://site.test/\r\nHost: evil",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://127.0.0.01/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://127%2e0%2e0%2e1/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://\u2460\u2461\u2466.0.0.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/",
        "http://100.64.0.1/",
        "http://100.100.100.200/",
        "http://192.0.0.192/",
        "http://198.18.0.1/",
        "http://192.0.2.1/",
        "http://224.0.0.1/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::8.8.8.8]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        "http://[2606:4700::5efe:7f00:1]/",
        "http://[2001:db8::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25lo]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[3fff::1]/",
        "http://[4000::1]/",
        "http://" + "a" * 3000,
        "",
        "   ",
        "http://xn--\ud800.test/",
    ],
)
async def test_an_address_is_refused_before_anybody_is_asked(url: str) -> None:
    names = Names()

    reason = await refused(WebReader(look_up=names), url)

    assert reason
    assert "no answer" not in reason
    assert names.asked == []


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["2606:4700:4700::1111", "fd00:ec2::254"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%2"],
        ["169.254.169.254"],
    ],
)
async def test_a_name_with_one_bad_address_is_refused(answers: list[str], site: Site) -> None:
    names = Names(site_test=[answers])

    reason = await refused(WebReader(look_up=names, ports=[site.port]), site.url("/"))

    assert "is no public address; only the public web is read" in reason
    assert names.asked == ["site.test"]
    assert site.hosts == []


async def test_a_name_that_changes_its_mind_is_refused_when_it_does(site: Site) -> None:
    """DNS rebinding: public for the first connection, private from the second on."""
    async with site_at(PRIVATE, port=site.port) as secret:
        secret.text("/", "the secret", "text/plain")
        site.text("/", "public", "text/plain")
        names = Names(site_test=[[PUBLIC], [PRIVATE]])

        reason = await refused(reader_of(site, names=names), site.url("/"))

        assert "127.0.0.1 is no public address" in reason
        assert site.hosts == [f"site.test:{site.port}"], "robots.txt was asked for, of the public one"
        assert secret.hosts == []


async def test_each_connection_resolves_once_and_goes_where_it_was_told(site: Site) -> None:
    site.text("/", "public", "text/plain")
    names = Names(site_test=[[PUBLIC]])

    page = await reader_of(site, names=names).fetch(site.url("/"))

    assert page.text == "public"
    assert names.asked == ["site.test", "site.test"], "for the rules and for the page"


async def test_loopback_is_refused_where_nobody_allows_it(site: Site) -> None:
    names = Names(site_test=[[PUBLIC]])

    reason = await refused(WebReader(look_up=names, ports=[site.port]), site.url("/"))

    assert "127.0.0.2 is no public address" in reason
    assert site.hosts == []


async def test_the_real_resolver_is_checked_too(site: Site) -> None:
    reason = await refused(WebReader(ports=[site.port]), site.url("/", host="localhost"))

    assert "is no public address" in reason


async def test_a_name_that_nobody_knows_is_said(site: Site) -> None:
    assert "no answer" in await refused(reader_of(site, names=Names()), site.url("/"))


async def test_the_name_is_what_tls_checks_and_the_server_hears(tmp_path: Path) -> None:
    server, trusting = certificate_for("site.test", tmp_path)
    heard: list[str | None] = []
    server.sni_callback = lambda connection, name, context: heard.append(name)
    async with site_at(PUBLIC, tls=server) as site:
        site.text("/", "over TLS", "text/plain")
        names = Names(site_test=[[PUBLIC]], other_test=[[PUBLIC]])
        reader = reader_of(site, names=names, tls=trusting)

        page = await reader.fetch(site.url("/").replace("http:", "https:"))
        wrong = await refused(reader, site.url("/", host="other.test").replace("http:", "https:"))
        distrusted = await refused(reader_of(site, names=names), page.url)

    assert page.text == "over TLS"
    assert heard[:2] == ["site.test", "site.test"]
    assert "CertificateError" in wrong
    assert "CertificateError" in distrusted


# --- sizes and times ---


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
    assert time.monotonic() - began < 3


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


# --- robots.txt ---


async def test_what_robots_txt_forbids_is_not_asked_for(site: Site) -> None:
    site.robots = "User-agent: *\nDisallow: /private/\n"
    site.text("/private/x", "x", "text/plain")
    site.text("/public", "y", "text/plain")
    reader = reader_of(site)

    assert "asks programs not to read this (robots.txt)" in await refused(reader, site.url("/private/x"))
    assert (await reader.fetch(site.url("/public"))).text == "y"
    assert site.asked == ["/public"]
    assert len(site.hosts) == 2, "the rules are remembered"


async def test_rules_for_pandora_come_before_those_for_all(site: Site) -> None:
    site.robots = "User-agent: pandora\nDisallow: /\n\nUser-agent: *\nAllow: /\n"
    site.text("/", "x", "text/plain")

    assert "robots.txt" in await refused(reader_of(site), site.url("/"))


async def test_a_redirect_is_held_against_the_rules_of_where_it_leads(site: Site) -> None:
    async with site_at(PUBLIC) as other:
        other.robots = "User-agent: *\nDisallow: /\n"
        other.text("/x", "x", "text/plain")
        site.redirect("/", other.url("/x"))

        assert "robots.txt" in await refused(reader_of(site, other), site.url("/"))
        assert other.asked == []


@pytest.mark.parametrize(("status", "is_read"), [(404, True), (403, True), (500, False), (503, False)])
async def test_a_site_without_rules_is_read_and_a_broken_one_is_not(
    status: int, is_read: bool, site: Site
) -> None:
    site.robots = status
    site.text("/", "x", "text/plain")

    if is_read:
        assert (await reader_of(site).fetch(site.url("/"))).text == "x"
    else:
        assert "robots.txt" in await refused(reader_of(site), site.url("/"))


async def test_rules_without_end_are_read_as_far_as_they_may_be(site: Site) -> None:
    site.robots = "User-agent: *\nDisallow: /no\n" + "# more\n" * 1_000_000
    site.text("/", "x", "text/plain")
    reader = reader_of(site)

    assert (await reader.fetch(site.url("/"))).text == "x"
    assert "robots.txt" in await refused(reader, site.url("/no"))


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
