"""The whole stack in the order in which it starts and stops. Servers of your own replace their parts."""

import sys
from collections.abc import Iterator

from deploy.local.nats import MEMBERS, SINGLE, nats_parts, services_environment
from deploy.local.parts import Listener, Part, probe_http, reachable
from deploy.local.postgres import postgres_part
from deploy.local.servers import nats_server, postgres_server, qdrant_server
from deploy.local.settings import StackSettings

START_ORDER = (
    (SINGLE, *MEMBERS),
    ("postgres", "qdrant"),
    ("indexer", "inference", "orchestrator", "gateway"),
)
"""Each group waits for the one before it. The services start side by side: each waits for what it needs."""

STOP_ORDER = (("gateway",), ("orchestrator",), ("inference", "indexer"), ("postgres",), (SINGLE, *MEMBERS))

_WRONG_SETTING = 2  # shared/runtime.py


def declare_parts(settings: StackSettings) -> dict[str, Part]:
    """Every part that the launcher starts or waits for, by name."""
    return {part.name: part for part in _parts(settings)}


def _parts(settings: StackSettings) -> Iterator[Part]:
    nats_url, database_url = settings.local.nats_url, settings.postgres.database_url
    if nats_url and not settings.cluster:
        yield nats_server(nats_url)
    else:
        yield from nats_parts(settings)
    yield postgres_server(settings.postgres.dsn) if database_url else postgres_part(settings.postgres)
    if settings.indexer.qdrant_url:
        yield qdrant_server(settings.indexer.qdrant_url)
    environment = services_environment(settings)
    host = settings.local.bind_host
    for name, listener in (
        ("indexer", Listener(host, settings.indexer.indexer_port, "INDEXER_PORT")),
        ("inference", Listener(host, settings.inference.inference_port, "INFERENCE_PORT")),
        ("orchestrator", Listener(host, settings.orchestrator.orchestrator_port, "ORCHESTRATOR_PORT")),
        ("gateway", Listener(settings.gateway.gateway_host, settings.gateway.gateway_port, "GATEWAY_PORT")),
    ):
        yield _service(name, listener, environment)


def _service(name: str, listener: Listener, environment: dict[str, str]) -> Part:
    async def probe() -> None:
        await probe_http(f"http://{reachable(listener.host)}:{listener.port}/readyz")

    return Part(
        name=name,
        command=(sys.executable, "-m", f"services.{name}"),
        listeners=(listener,),
        probe=probe,
        environment=environment,
        settings_status=_WRONG_SETTING,
    )
