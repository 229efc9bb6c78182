"""Commands where what they need is away, or takes connections and says nothing: one line, no long wait."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.ports import free_ports
from tests.stack import ROOT

OVER_THE_GATEWAY = [
    ["ask", "Where do I live?"],
    ["memories"],
    ["memories", "add", "I like tea"],
    ["forget", "session", "s1", "--yes"],
    ["approve"],
    ["cancel", "t1"],
    ["dead", "list"],
    ["archive", "--dry-run"],
    ["export", "mine.zip"],
    ["import", "conversations", "said.ndjson"],
]
SAID = (
    b'{"message_id": "m1", "session_id": "s1", "speaker": "user", "text": "Hi", "at": "2026-01-01T00:00:00Z"}'
)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose server accepts connections and never answers, as one that is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def pandora(folder: Path, command: list[str], **settings: str) -> subprocess.CompletedProcess[str]:
    (folder / "said.ndjson").write_bytes(SAID)
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PANDORA_DATA_DIR": str(folder / "data"), **settings},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", OVER_THE_GATEWAY, ids=" ".join)
def test_without_a_gateway_one_line_says_so(tmp_path: Path, command: list[str]) -> None:
    address = f"http://127.0.0.1:{free_ports(1)[0]}"

    ended = pandora(tmp_path, command, PANDORA_URL=address)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"No gateway answers at {address}.")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["ask", "Hi"], ["memories"], ["export", "mine.zip"]], ids=" ".join)
def test_a_gateway_that_says_nothing_is_not_waited_for(
    tmp_path: Path, silent: int, command: list[str]
) -> None:
    ended = pandora(tmp_path, command, PANDORA_URL=f"http://127.0.0.1:{silent}")

    assert ended.returncode == 1
    assert "nothing came in time" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["check", "reindex"])
@pytest.mark.parametrize("is_silent", [False, True])
def test_without_nats_one_line_says_so(tmp_path: Path, silent: int, command: str, is_silent: bool) -> None:
    address = f"nats://127.0.0.1:{silent if is_silent else free_ports(1)[0]}"

    ended = pandora(tmp_path, [command], NATS_URL=address)

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"No NATS answers at {address}. Start Pandora with `pandora up`, or set NATS_URL."
    ]


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("postgresql://127.0.0.1:{free}/pandora", 1, "Start Pandora with `pandora up`"),
        ("postgresql://127.0.0.1:{silent}/pandora", 1, "no answer in time"),
        ("mysql://127.0.0.1/pandora", 2, "DATABASE_URL"),
    ],
)
def test_without_its_database_migrate_says_what_to_do(
    tmp_path: Path, silent: int, url: str, status: int, said: str
) -> None:
    ended = pandora(tmp_path, ["migrate"], DATABASE_URL=url.format(free=free_ports(1)[0], silent=silent))

    assert ended.returncode == status
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
