"""`pandora check` and `pandora reindex` where nothing runs."""

import os
import subprocess
import sys

import pytest

from tests.stack import free_ports


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
