"""Every part of the stack. Servers of your own replace their parts."""

import sys
from collections.abc import Iterator

from deploy.local.nats import nats_parts, services_environment
from deploy.local.parts import Listener, Part, probe_http
from deploy.local.postgres import postgres_part
from deploy.local.redis import RedisParts
from deploy.local.servers import nats_server, postgres_server, qdrant_server
from deploy.local.settings import StackSettings
from shared.process.environment import reachable

_WRONG_SETTING = 2
"""The exit status of a service whose settings are wrong: `shared/process/runtime.py`."""


def declare_parts(settings: StackSettings) -> dict[str, Part]:
    """Returns by name every part that the launcher starts or waits for."""
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
    redis = RedisParts(settings.local)
    yield from redis.parts()
    environment = services_environment(settings) | redis.environment()
    host = settings.local.bind_host
    for name, listener in (
        ("indexer", Listener(host, settings.indexer.indexer_port, "INDEXER_PORT")),
        ("inference", Listener(host, settings.inference.inference_port, "INFERENCE_PORT")),
        ("orchestrator", Listener(host, settings.orchestrator.orchestrator_port, "ORCHESTRATOR_PORT")),
        ("gateway", Listener(settings.gateway.gateway_host, settings.gateway.gateway_port, "GATEWAY_PORT")),
    ):
        url = f"http://{reachable(listener.host)}:{listener.port}"
        yield _service(name, listener, settings.gateway.url if name == "gateway" else url, environment)


def _service(name: str, listener: Listener, url: str, environment: dict[str, str]) -> Part:
    async def probe() -> None:
        await probe_http(f"{url}/readyz")

    return Part(
        name=name,
        command=(sys.executable, "-m", f"services.{name}"),
        listeners=(listener,),
        probe=probe,
        environment=environment,
        settings_status=_WRONG_SETTING,
    )
