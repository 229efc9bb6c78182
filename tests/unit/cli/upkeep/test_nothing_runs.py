"""`pandora check`, `pandora reindex` and `pandora migrate` where nothing runs."""

import os
import subprocess
import sys

import pytest

from tests.servers.ports import free_ports


@pytest.mark.parametrize("command", ["check", "reindex"])
def test_where_nothing_runs_one_line_says_so(command: str) -> None:
    address = f"nats://127.0.0.1:{free_ports(1)[0]}"

    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", command],
        env={**os.environ, "NATS_URL": address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"No NATS answers at {address}. Start Pandora with `pandora up`, or set NATS_URL."
    ]


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("postgresql://127.0.0.1:{free_port}/pandora", 1, "Start Pandora with `pandora up`"),
        ("mysql://127.0.0.1/pandora", 2, "DATABASE_URL"),
    ],
)
def test_without_its_database_migrate_says_what_to_do(url: str, status: int, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "migrate"],
        env={**os.environ, "DATABASE_URL": url.format(free_port=free_ports(1)[0])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == status
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
