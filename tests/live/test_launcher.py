"""`pandora up` as people meet it: a real stack that is hurt, killed, started again and stopped."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from cli.run.run_folder import RunFolder
from deploy.local.postgres import EmbeddedPostgres
from shared.process.environment import SettingsError
from shared.process.settings import PostgresSettings, load
from tests.servers.postgres import PostgresServer
from tests.stack import ROOT, Stack

STOP_SECONDS = 20.0
PARTS = {"nats", "postgres", "redis", "redis-cache", "indexer", "inference", "orchestrator", "gateway"}


def run_pandora(stack: Stack, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env=stack.environment | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )


async def status_of(stack: Stack) -> dict[str, Any]:
    result = await asyncio.to_thread(run_pandora, stack, "status", "--json")
    status: dict[str, Any] = json.loads(result.stdout)
    return status


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)


def alive(pids: list[int]) -> list[int]:
    """Returns those that still run. A zombie does not: in a container its parent may never collect it."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture
def idle() -> Iterator[Stack]:
    """An installation that is not started."""
    stack = Stack({})
    yield stack
    stack.remove()


@pytest.fixture
def own(idle: Stack) -> Iterator[Stack]:
    """A started installation that a test may kill."""
    idle.start()
    yield idle
    idle.stop()


def test_a_wrong_setting_ends_the_start_with_one_line(idle: Stack) -> None:
    result = run_pandora(idle, "up", LOG_LEVEL="LOUD")

    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "LOG_LEVEL='LOUD'" in line
    assert "'DEBUG', 'INFO', 'WARNING' or 'ERROR'" in line
    assert result.stdout == ""


def test_a_taken_port_is_named_with_its_setting(idle: Stack) -> None:
    with socket.create_server(("127.0.0.1", idle.ports["indexer"])):
        result = run_pandora(idle, "up")

    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"INDEXER_PORT={idle.ports['indexer']}: cannot listen")
    assert line.endswith("set INDEXER_PORT to a free one.")
    assert idle.leftovers() == []


def test_what_is_not_running_is_said_with_the_next_step(idle: Stack) -> None:
    status = run_pandora(idle, "status")
    asked = run_pandora(idle, "ask", "Is anyone there?")

    assert (status.returncode, asked.returncode) == (1, 1)
    assert status.stdout == f"Pandora is not running in {idle.data_dir}. Start it with `pandora up`.\n"
    assert "Start Pandora with `pandora up`" in asked.stderr


async def test_another_password_on_an_old_database_is_explained(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_PORT", str(postgres.port))
    monkeypatch.setenv("POSTGRES_PASSWORD", "another")
    server = EmbeddedPostgres(load(PostgresSettings))

    with pytest.raises(
        SettingsError, match=r"made with another user or password\. Set the earlier ones again"
    ):
        await server.probe()


async def test_a_stack_is_hurt_killed_started_again_and_stopped(own: Stack) -> None:
    folder = RunFolder(own.data_dir)
    launcher = folder.holder()
    assert launcher is not None

    # While it runs, its status is shown, and a second one is refused.
    status = await status_of(own)
    assert status["ready"], status
    assert {part["name"] for part in status["parts"]} == PARTS
    assert all(part["pid"] and part["memory_bytes"] for part in status["parts"])
    assert status["engine"]["engine"] == "extractive"
    assert status["counts"]["rows"] == 0
    assert {queue["waiting"] for queue in status["queues"]} == {0}

    # Who knows its data folder alone finds its ports.
    without_ports = {name: "" for name in own.environment if name.endswith("_PORT")}
    found = await asyncio.to_thread(run_pandora, own, "status", "--json", **without_ports)
    assert json.loads(found.stdout)["ready"], found.stdout

    second = await asyncio.to_thread(run_pandora, own, "up")
    assert second.returncode == 1
    assert f"Pandora is already running in {own.data_dir} (process {launcher})" in second.stderr

    # A service that dies comes back.
    first = own.pid_of("inference")
    os.kill(first, signal.SIGKILL)
    await own.until_shown("inference is ready again")
    assert "inference ended with signal SIGKILL; starting it again in 0.5 s" in own.terminal()
    assert own.pid_of("inference") != first
    await own.tell("Are you there again?")

    # Everything is killed but one process, the launcher first, so that nothing is put in order.
    pids = {part: own.pid_of(part) for part in PARTS}
    for pid in [launcher, *(pid for part, pid in pids.items() if part != "inference")]:
        os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(own.stop)
    await until(lambda: alive([*pids.values()]) == [pids["inference"]])

    # The next start ends what was left, and finds what was said.
    await asyncio.to_thread(own.start)
    assert "inference was left running by a launcher that was killed; ended it" in own.terminal()
    _, page = await own.call("GET", "/v1/turns")
    assert [turn["input"] for turn in page["turns"]] == ["Are you there again?"]

    # SIGTERM ends everything in good order, and a further signal changes nothing.
    status = await status_of(own)
    begin = time.monotonic()
    os.kill(status["launcher_pid"], signal.SIGTERM)
    await own.until_shown("stopping")
    assert await asyncio.to_thread(own.stop) == 0
    assert time.monotonic() - begin < STOP_SECONDS
    assert alive([part["pid"] for part in status["parts"]]) == []
    assert own.leftovers() == []
    assert not (own.data_dir / "run" / "stack.json").exists()
    assert folder.holder() is None
