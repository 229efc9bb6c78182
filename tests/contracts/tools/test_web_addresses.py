"""research.fetch reaches only the public web, for any address, name or redirect."""

from pathlib import Path

import pytest

from services.orchestrator.web.http import WebReader
from tests.contracts.bus.certificates import certificate_for
from tests.contracts.tools.web_site import PRIVATE, PUBLIC, Names, Site, reader_of, refused, site_at


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


# --- redirects ---


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
