"""research.fetch: the text of a page for a model, and the log of research."""

from datetime import UTC, datetime

import msgspec

from services.orchestrator.tools.ports import Page, Unreadable
from tests.unit.orchestrator.tools.tool_room import NOW, ToolRoom

PAGE = Page(
    url="https://example.org/bees?from=feed",
    domain="example.org",
    title="Bees",
    text="Bees dance.",
    published_at=datetime(2026, 3, 14, tzinfo=UTC),
    fetched_at=NOW,
    expires_at=NOW,
)


async def test_a_page_is_read_and_written_into_the_log(tools: ToolRoom) -> None:
    tools.page = PAGE

    result = await tools.run("research.fetch", url="https://example.org/bees?from=feed", about="dance")

    assert result.text == (
        "Bees\nhttps://example.org/bees?from=feed, published 2026-03-14, read 2026-11-21\n\nBees dance."
    )
    (source,) = result.sources
    assert (source.name, source.url, source.at) == ("example.org/bees", PAGE.url, NOW)
    assert tools.read_pages == [(PAGE, "dance")]


async def test_a_page_that_was_read_lately_is_not_read_again_unless_it_shall_be(tools: ToolRoom) -> None:
    tools.known_pages["mira", PAGE.url] = PAGE
    tools.page = msgspec.structs.replace(PAGE, text="Bees dance anew.")

    lately = await tools.run("research.fetch", url=PAGE.url)
    again = await tools.run("research.fetch", url=PAGE.url, again=True)

    assert lately.text.endswith("read 2026-11-21\n\nBees dance.")
    assert lately.sources[0].url == PAGE.url
    assert again.text.endswith("Bees dance anew.")
    assert len(tools.read_pages) == 1


async def test_a_page_that_cannot_be_read_is_written_into_the_log_with_its_domain(tools: ToolRoom) -> None:
    tools.page = Unreadable("example.org", "it is a PDF; look elsewhere", "a PDF")
    known = await tools.run("research.fetch", url="https://example.org/bees.pdf")
    tools.page = Unreadable("", "this is no address", "refused")
    unknown = await tools.run("research.fetch", url="https://[")

    assert known.text == "https://example.org/bees.pdf cannot be read: it is a PDF; look elsewhere"
    assert known.is_error
    assert unknown.is_error
    assert tools.failures == [("example.org", "a PDF")]


async def test_a_very_long_page_is_cut(tools: ToolRoom) -> None:
    tools.page = msgspec.structs.replace(PAGE, text="bees " * 10_000)

    result = await tools.run("research.fetch", url="https://example.org/bees")

    assert result.is_cut
    assert len(result.text) < 12_200
