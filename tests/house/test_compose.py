"""docker-compose.yml and what it mounts, as far as that can be checked without a container engine."""

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.nats import USERS_CONF
from deploy.local.nats_users import write_users

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
PROJECT = yaml.safe_load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]
# On the host's network there are no published ports: the server itself says where it listens.
LISTENS = {
    "prometheus": "--web.listen-address=127.0.0.1:${PROMETHEUS_PORT",
    "grafana": "GF_SERVER_HTTP_ADDR: 127.0.0.1",
}


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name: str) -> None:
    assert re.search(r":v?\d+\.\d+[\w.-]*$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_whether_it_is_healthy_and_comes_back(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    assert {"test", "interval", "timeout", "retries", "start_period"} <= check.keys()
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_from_this_machine_only(name: str) -> None:
    service = SERVICES[name]

    if service.get("network_mode") == "host":
        assert LISTENS[name] in yaml.safe_dump(service)
    else:
        assert service["ports"]
        assert all(port.startswith("127.0.0.1:${") for port in service["ports"])


def test_data_lies_in_named_volumes_and_what_is_mounted_is_there() -> None:
    sources = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [source for source in sources if source.startswith("./")]
    volumes = [source for source in sources if not source.startswith(("./", "${PANDORA_DATA_DIR"))]

    assert sorted(volumes) == sorted(PROJECT["volumes"])
    keeping = [name for name, service in SERVICES.items() if service.get("tmpfs") != ["/data"]]
    assert len(volumes) == len(keeping), "every service keeps data, or keeps it in memory"
    assert [source for source in files if not (ROOT / source).exists()] == []


def test_every_variable_is_in_the_example_settings() -> None:
    variables = set(re.findall(r"\$\{(\w+):-[^}]+\}", COMPOSE))
    documented = set(re.findall(r"^#? ?(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert len(variables) == len(set(re.findall(r"(?<!\$)\$\{?(\w+)", COMPOSE))), "a variable has no default"
    assert variables - documented == set()


@pytest.mark.parametrize("file", sorted((ROOT / "deploy/nats").rglob("*.conf")), ids=lambda file: file.name)
def test_a_nats_configuration_is_valid_and_quotes_its_durations(file: Path, tmp_path: Path) -> None:
    server = Path(sys.executable).with_name("nats-server")
    shutil.copytree(file.parent, tmp_path, dirs_exist_ok=True)
    write_users(tmp_path / "nats-users", tmp_path / USERS_CONF)
    checked = subprocess.run(
        [server, "-t", "-c", tmp_path / file.name], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
    # A bare `2m` is two million of something, without a word.
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"^[^#\n]*:\s*\d+(?:ms|s|m|h)\s*$", text, re.MULTILINE) == []


def test_each_server_of_the_cluster_has_a_name_that_the_routes_know() -> None:
    folder = ROOT / "deploy/nats/cluster"
    routes = re.findall(r'"nats://([\w-]+):6222"', (folder / "common.conf").read_text())

    assert [
        re.findall(r"^server_name: (.+)$", (folder / f"{name}.conf").read_text(), re.MULTILINE)
        for name in routes
    ] == [["nats-1"], ["nats-2"], ["nats-3"]]


def test_prometheus_scrapes_every_service_by_its_name() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    services = [path.parent.name for path in (ROOT / "services").glob("*/__init__.py")]

    assert sorted(job["job_name"] for job in config["scrape_configs"]) == sorted(services)


@pytest.mark.parametrize(("answer", "healthy"), [(200, True), (503, False), (None, False)])
def test_the_health_check_of_qdrant_reads_the_status(answer: int | None, healthy: bool) -> None:
    """The only check that is written out by hand, since its image has no HTTP client."""
    kind, check = SERVICES["vectordb"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"

    with _answering(answer) as port:
        command = check.replace("$$", "$").replace("/6333", f"/{port}")
        ran = subprocess.run(["sh", "-c", command], capture_output=True, timeout=10, check=False)

    assert (ran.returncode == 0) is healthy, ran.stderr.decode()


@contextmanager
def _answering(status: int | None) -> Iterator[int]:
    """The port of a server that gives one answer, or, for None, a port where nobody listens."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server finds it by this name
            assert status is not None
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        port = server.server_port
        if status is not None:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            yield port
            thread.join()
    if status is None:
        yield port
