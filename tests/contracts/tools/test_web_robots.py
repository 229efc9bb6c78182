"""research.fetch asks robots.txt first."""

import pytest

from tests.contracts.tools.web_site import PUBLIC, Site, reader_of, refused, site_at


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
