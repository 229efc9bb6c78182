"""What contracts are put to: a bus of one's own, an indexer over real stores, a site on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.indexer import filling
from services.indexer.ports import PassageIndex
from shared.bus import Bus
from shared.declaring import declare_streams
from tests.contracts.generations_room import Installation, Process
from tests.contracts.nats_server import bus_to, nats_server
from tests.contracts.passage_room import edge, server, write
from tests.contracts.web_site import PUBLIC, Site, site_at


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A nats-server with the streams and nothing in them."""
    async with nats_server() as address:
        async with bus_to(address) as bus:
            await declare_streams(bus.jetstream, first_turn_number=1)
        yield address


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    async with bus_to(url) as connected:
        yield connected


@pytest.fixture
def installation(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Indexers, one after another, over one database and one Qdrant; copied in pages of eight rows."""
    monkeypatch.setattr(filling, "PAGE_ROWS", 8)
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
