"""The log of pages that tools read, where the indexer or NATS is away."""

from datetime import UTC, datetime, timedelta

from services.orchestrator.tools.ports import Page
from services.orchestrator.tools.tool import Caller
from services.orchestrator.web.nats import BusResearchLog
from shared.bus.connection import Bus
from tests.servers.nats import bus_to, nats_in_hand, state

NOW = datetime.now(UTC)
PAGE = Page(
    url="https://bees.test/x",
    domain="bees.test",
    title="Of the varroa mite",
    text="Treat varroa mites in winter.",
    published_at=None,
    fetched_at=NOW,
    expires_at=NOW + timedelta(days=7),
)
ALICE = Caller(user="alice", session_id="s1", turn_id="t1", turn_number=1)


async def test_without_an_indexer_pages_are_logged_all_the_same(bus: Bus) -> None:
    log = BusResearchLog(bus, lambda: NOW)

    assert await log.known("alice", PAGE.url) is None
    for _ in range(2):
        await log.read(PAGE, ALICE, about="")

    assert (await state(bus, "RESEARCH")).messages == 2, "the page and its site, each once"


async def test_without_nats_nothing_is_raised() -> None:
    async with nats_in_hand() as server, bus_to(server.url, timeout=0.2, retry_seconds=0.2) as bus:
        await server.stop()
        log = BusResearchLog(bus, lambda: NOW)

        assert await log.known("alice", PAGE.url) is None
        await log.read(PAGE, ALICE, about="")
        await log.failed("wasps.test", "timeout", ALICE)
