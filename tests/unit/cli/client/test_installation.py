"""Commands find a running installation by its data folder, where no setting says otherwise."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.client.address import gateway_url
from cli.client.installation import adopt_addresses
from cli.run.processes import ProcessId
from cli.run.run_folder import RunFolder, StackState
from deploy.local.settings import addresses_of, load_stack


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.delenv("GATEWAY_PORT", raising=False)
    return RunFolder(tmp_path / ".pandora")


def state(**addresses: str) -> StackState:
    return StackState(
        launcher=ProcessId.of(os.getpid()), started_at=datetime.now(UTC), addresses=dict(addresses)
    )


def test_the_ports_of_the_running_one_are_taken(folder: RunFolder) -> None:
    with folder.locked():
        folder.write_state(state(GATEWAY_PORT="9123"))
        adopt_addresses()

    assert gateway_url() == "http://127.0.0.1:9123"


@pytest.mark.parametrize("where", ["environment", ".env"])
def test_a_setting_goes_before_them(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "environment":
        monkeypatch.setenv("GATEWAY_PORT", "9001")
    else:
        (tmp_path / ".env").write_text("GATEWAY_PORT=9001\n", encoding="utf-8")
    with folder.locked():
        folder.write_state(state(GATEWAY_PORT="9123"))
        adopt_addresses()

    assert gateway_url() == "http://127.0.0.1:9001"


def test_those_of_one_that_ended_are_not(folder: RunFolder) -> None:
    with folder.locked():
        folder.write_state(state(GATEWAY_PORT="9123"))
    adopt_addresses()

    assert gateway_url() == "http://127.0.0.1:9000"


def test_they_are_every_port_and_no_password(folder: RunFolder) -> None:
    addresses = addresses_of(load_stack())

    assert {"GATEWAY_PORT", "NATS_PORT", "NATS_MONITOR_PORT", "POSTGRES_PORT", "INDEXER_PORT"} <= {*addresses}
    assert all(name.endswith(("_PORT", "_HOST")) for name in addresses)
