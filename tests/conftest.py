"""What the tests share: one real stack and one bare NATS server, each started once a session."""

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from deploy.local.nats import find_server
from tests.stack import Stack, free_ports

_TOGETHER = ("tests/faults", "tests/flow", "tests/live")
"""Folders whose tests share what is dear to start. They take longest, so they come first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_TOGETHER))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n 2`: each of these folders goes to one worker as a whole, any other file by itself."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _what_goes_together
    return scheduler


def _what_goes_together(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return next((folder for folder in _TOGETHER if file.startswith(folder)), file)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A whole installation with two users, alice and bob, started by `pandora up`."""
    started = Stack({})
    started.start()
    try:
        yield started
    finally:
        status = started.stop()
    assert status == 0, started.terminal()
    started.remove()


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A nats-server with JetStream and nobody on it but the tests."""
    (port,) = free_ports(1)
    store = tmp_path_factory.mktemp("nats")
    server = subprocess.Popen(
        [find_server(), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(store)],
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_port(port)
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[str]:
    """The DSN of an empty database on the stack's PostgreSQL."""
    name = f"test_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(stack.postgres_dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    try:
        yield stack.postgres_dsn.rsplit("/", 1)[0] + f"/{name}"
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()
        await asyncio.sleep(0)


def _wait_for_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")
