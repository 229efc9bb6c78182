"""Which parts the launcher starts, and with what configuration."""

import subprocess
from pathlib import Path

import pytest

from deploy.local.nats import find_server, render_configuration
from deploy.local.parts import NotReady, reachable
from deploy.local.servers import nats_server, postgres_server, qdrant_server
from deploy.local.settings import LocalSettings, load_stack
from deploy.local.stack import START_ORDER, STOP_ORDER, declare_parts
from shared.errors import SettingsError
from shared.settings import load

SERVICES = {"indexer", "inference", "orchestrator", "gateway"}


@pytest.fixture(autouse=True)
def _far_from_any_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_by_default_everything_is_embedded() -> None:
    assert declare_parts(load_stack()).keys() == SERVICES | {"nats", "postgres"}


@pytest.mark.parametrize(
    ("setting", "value", "replaced"),
    [
        ("NATS_URL", "nats://10.0.0.1:4222", "nats"),
        ("DATABASE_URL", "postgresql://a:b@10.0.0.1/pandora", "postgres"),
        ("QDRANT_URL", "http://10.0.0.1:6333", "qdrant"),
    ],
)
def test_a_server_of_ones_own_is_waited_for_and_not_started(
    setting: str, value: str, replaced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, value)

    parts = declare_parts(load_stack())

    assert parts[replaced].command == ()
    assert parts[replaced].listeners == ()
    assert {name for name, part in parts.items() if part.command} == SERVICES | {"nats", "postgres"} - {
        replaced
    }


def test_every_part_has_its_place_in_the_start_and_in_the_stop() -> None:
    started = [name for group in START_ORDER for name in group]
    stopped = [name for group in STOP_ORDER for name in group]

    assert sorted(stopped) == sorted(declare_parts(load_stack()))
    assert sorted(started) == sorted([*stopped, "qdrant"])


def test_nats_accepts_its_configuration_whatever_the_folder_is_called(tmp_path: Path) -> None:
    file = tmp_path / "nats.conf"
    store = tmp_path / 'a "folder" of $HOME, größer'
    file.write_text(render_configuration(load(LocalSettings), store))

    result = subprocess.run([find_server(), "-t", "-c", str(file)], capture_output=True, text=True)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104  # nothing is bound here
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("localhost", "localhost"),
    ],
)
def test_a_listener_is_reached_from_this_machine(host: str, address: str) -> None:
    assert reachable(host) == address


async def test_a_server_that_does_not_answer_is_named_by_its_setting() -> None:
    with pytest.raises(NotReady, match="nothing answers at NATS_URL"):
        await nats_server("nats://127.0.0.1:1,nats://127.0.0.1:2").probe()
    with pytest.raises(NotReady, match="nothing answers at DATABASE_URL"):
        await postgres_server("postgresql://a:b@127.0.0.1:1/c").probe()
    with pytest.raises(NotReady, match="QDRANT_URL: no answer yet"):
        await qdrant_server("http://127.0.0.1:1").probe()


async def test_a_database_url_that_is_none_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL=\*\*\*: "):
        await postgres_server("nonsense").probe()


async def test_a_server_that_listens_is_ready(nats_url: str) -> None:
    await nats_server(f"nats://127.0.0.1:1,{nats_url}").probe()
