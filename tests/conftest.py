"""What the tests share: one real stack, one nats-server and one PostgreSQL, each started once a session."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler.loadscope import LoadScopeScheduling

from tests.servers.nats import NatsAccounts, nats_accounts
from tests.servers.postgres import PostgresServer, fast_postgres
from tests.stack import Stack

# A machine with other work on it is no error: hypothesis would fail a test case that takes 200 ms.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
_INSTALLATIONS = (
    "tests/faults/turns",
    "tests/flow",
    "tests/faults/stores",
    "tests/faults/test_pipeline_kills.py",
    "tests/faults/test_cluster.py",
    "tests/live",
    "tests/flow/pipeline",
    "tests/flow/generation",
    "tests/flow/running",
)
"""What shares an installation, and is run by one worker. Longest first, so that all workers end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n 2`: the tests of one installation go to one worker, any other file by itself."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _what_goes_together
    return scheduler


def _what_goes_together(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return max((path for path in _INSTALLATIONS if file.startswith(path)), key=len, default=file)


def _place(nodeid: str) -> int:
    together = _what_goes_together(nodeid)
    return _INSTALLATIONS.index(together) if together in _INSTALLATIONS else len(_INSTALLATIONS)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A whole installation of the users alice, bob and carol, started by `pandora up`."""
    started = Stack({})
    started.start()
    try:
        yield started
    finally:
        status = started.stop()
    assert status == 0, started.terminal()
    assert started.refused() == []
    started.remove()


@pytest.fixture(scope="session")
async def accounts() -> AsyncIterator[NatsAccounts]:
    """One nats-server, and an account of it for each test that asks for one."""
    async with nats_accounts() as started:
        yield started


@pytest.fixture(scope="session")
def nats_url(accounts: NatsAccounts) -> str:
    """Of a nats-server with JetStream, shared by all tests that store nothing there."""
    return accounts.server.url


@pytest.fixture
async def empty_url(accounts: NatsAccounts) -> AsyncIterator[str]:
    """Of a nats-server on which there is nothing."""
    async with accounts.empty() as url:
        yield url


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[PostgresServer]:
    async with fast_postgres() as started:
        yield started


@pytest.fixture
async def database(postgres: PostgresServer) -> AsyncIterator[str]:
    """The DSN of a database with Pandora's tables and nothing in them."""
    async with postgres.database(postgres.TEMPLATE) as dsn:
        yield dsn


@pytest.fixture
async def empty_database(postgres: PostgresServer) -> AsyncIterator[str]:
    """The DSN of a database without any table."""
    async with postgres.database("template1") as dsn:
        yield dsn
