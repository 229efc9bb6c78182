"""Which parts the launcher starts, and with what configuration."""

import asyncio
import socket
import subprocess
from pathlib import Path

import pytest

from cli.run.ports import check_ports
from deploy.local.nats import (
    USERS_CONF,
    as_cluster,
    find_server,
    refuse_the_other_store,
    render_configuration,
)
from deploy.local.nats_users import write_users
from deploy.local.order import START_ORDER, STOP_ORDER
from deploy.local.parts import Listener, NotReady, Part
from deploy.local.servers import nats_server, postgres_server, qdrant_server
from deploy.local.settings import LocalSettings, load_stack
from deploy.local.stack import declare_parts
from shared.process.environment import SettingsError, reachable
from shared.process.settings import load

SERVICES = {"indexer", "inference", "orchestrator", "gateway"}
STORES = {"postgres", "redis", "redis-cache"}


@pytest.fixture(autouse=True)
def _far_from_any_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_by_default_everything_is_embedded() -> None:
    assert declare_parts(load_stack()).keys() == SERVICES | STORES | {"nats"}


@pytest.mark.parametrize(
    ("setting", "value", "replaced"),
    [
        ("NATS_URL", "nats://10.0.0.1:4222", "nats"),
        ("DATABASE_URL", "postgresql://a:b@10.0.0.1/pandora", "postgres"),
        ("QDRANT_URL", "http://10.0.0.1:6333", "qdrant"),
        ("REDIS_URL", "redis://10.0.0.1/0", "redis"),
        ("REDIS_CACHE_URL", "rediss://:hush@10.0.0.1:7000/0", "redis-cache"),
    ],
)
def test_a_server_of_ones_own_is_waited_for_and_not_started(
    setting: str, value: str, replaced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, value)

    parts = declare_parts(load_stack())

    assert parts[replaced].command == ()
    assert parts[replaced].listeners == ()
    started = {name for name, part in parts.items() if part.command}
    assert started == (SERVICES | STORES | {"nats"}) - {replaced}


def test_every_part_has_its_place_in_the_start_and_in_the_stop() -> None:
    started = [name for group in START_ORDER for name in group]
    stopped = [name for group in STOP_ORDER for name in group]

    declared = declare_parts(load_stack()).keys() | declare_parts(as_cluster(load_stack())).keys()
    assert sorted(stopped) == sorted(declared)
    assert sorted(started) == sorted([*stopped, "qdrant"])


def test_nats_accepts_its_configuration_whatever_the_folder_is_called(tmp_path: Path) -> None:
    file = tmp_path / "nats.conf"
    store = tmp_path / 'a "folder" of $HOME, größer'
    write_users(store / "users", tmp_path / USERS_CONF)
    file.write_text(render_configuration(load(LocalSettings), store))

    result = subprocess.run([find_server(), "-t", "-c", str(file)], capture_output=True, text=True)

    assert result.returncode == 0, result.stderr


def test_a_cluster_is_three_servers_that_every_service_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_PORT", "5000")

    parts = declare_parts(as_cluster(load_stack()))

    assert parts.keys() == SERVICES | STORES | {"nats-1", "nats-2", "nats-3"}
    assert [parts[f"nats-{node}"].port for node in (1, 2, 3)] == [5000, 5001, 5002]
    for service in SERVICES:
        environment = parts[service].environment
        assert environment["NATS_URL"] == (
            "nats://127.0.0.1:5000,nats://127.0.0.1:5001,nats://127.0.0.1:5002"
        )
        assert environment["NATS_REPLICAS"] == "3"


def test_how_many_copies_a_cluster_keeps_stays_as_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_REPLICAS", "1")

    assert declare_parts(as_cluster(load_stack()))["orchestrator"].environment["NATS_REPLICAS"] == "1"


@pytest.mark.parametrize("node", [1, 2, 3])
async def test_nats_accepts_the_configuration_of_each_server_of_a_cluster(node: int, tmp_path: Path) -> None:
    part = declare_parts(as_cluster(load_stack()))[f"nats-{node}"]
    assert part.prepare is not None
    await part.prepare()

    checked = await asyncio.create_subprocess_exec(*part.command, "-t", stderr=subprocess.PIPE)
    _, told = await checked.communicate()

    assert checked.returncode == 0, told.decode()


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [("NATS_URL", "nats://10.0.0.1:4222", "Unset NATS_URL"), ("NATS_CLUSTER_PORT", "65534", "up to 65535")],
)
def test_settings_that_leave_no_room_for_a_cluster_are_refused(
    setting: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, value)

    with pytest.raises(SettingsError, match=f"^{setting}=.*{told}"):
        as_cluster(load_stack())


def test_a_taken_port_of_a_cluster_is_named_by_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        part = Part(
            name="nats-2", probe=_never, listeners=(Listener("127.0.0.1", port, "NATS_CLUSTER_PORT", 1),)
        )

        with pytest.raises(SettingsError, match=rf"^NATS_CLUSTER_PORT={port - 1} \+ 1: cannot .*{port}"):
            check_ports([part])


async def _never() -> None:
    raise AssertionError("not reached")


@pytest.mark.parametrize(("store", "told"), [("nats", "without --cluster"), ("nats-2", "with --cluster")])
def test_what_the_other_way_of_running_nats_has_stored_is_not_passed_over(
    store: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, cluster = load_stack(), as_cluster(load_stack())
    same, other = (alone, cluster) if store == "nats" else (cluster, alone)
    (alone.local.pandora_data_dir / store / "jetstream").mkdir(parents=True)

    refuse_the_other_store(same)
    with pytest.raises(SettingsError, match=rf"holds the store of .*\({store}\).*{told}"):
        refuse_the_other_store(other)


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


async def test_only_the_services_know_the_password_of_the_embedded_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANDORA_DATA_DIR", str(tmp_path))
    parts = declare_parts(load_stack())
    part, environment = parts["redis"], parts["gateway"].environment
    assert part.prepare is not None
    await part.prepare()

    file = Path(part.command[1])
    written, mode = await asyncio.to_thread(lambda: (file.read_text(encoding="utf-8"), file.stat().st_mode))
    password = environment["REDIS_URL"].removeprefix("redis://:").partition("@")[0]
    assert len(password) >= 32
    assert f"requirepass {password}\n" in written
    assert mode & 0o077 == 0
    assert password not in "".join(part.command)
