"""What contracts are put to: streams of NATS, an indexer over real stores, a site on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.indexer.generations import backfill
from services.indexer.passages.index import PassageIndex
from shared.bus.connection import Bus
from shared.bus.declaration import declare_streams
from tests.contracts.indexer.generations.generations_room import Installation, Process
from tests.contracts.indexer.qdrant.passage_room import edge, server, write
from tests.contracts.tools.web_site import PUBLIC, Site, site_at
from tests.servers.nats import bus_to


@pytest.fixture
async def url(empty_url: str) -> str:
    """Of an account of NATS with the streams and nothing in them."""
    async with bus_to(empty_url) as bus:
        await declare_streams(bus.jetstream, first_turn_number=1)
    return empty_url


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    async with bus_to(url) as connected:
        yield connected


@pytest.fixture
def installation(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Indexers, one after another, over one database and one Qdrant; copied in pages of eight rows."""
    monkeypatch.setattr(backfill, "PAGE_ROWS", 8)
    return Installation(database, tmp_path / "qdrant")


@pytest.fixture
async def process(installation: Installation) -> AsyncIterator[Process]:
    """An indexer that is asked by its methods; nothing in it runs by itself."""
    async with installation.started(runs=False) as started:
        yield started


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with site_at(PUBLIC) as public:
        yield public


@pytest.fixture(params=[edge, server], ids=["edge", "server"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PassageIndex]:
    async with request.param(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(params=[edge, server], ids=["edge", "server"], scope="module", loop_scope="session")
async def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PassageIndex]:
    """For the tests that only ask."""
    async with request.param(tmp_path_factory.mktemp("qdrant")) as opened:
        await write(opened)
        yield opened
