"""What `/healthz` and `/readyz` say while a service starts, works and stops."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from shared.contract.errors import Transient
from shared.process.environment import SettingsError
from shared.process.health import Health, health_app, with_health
from shared.process.http import serve_http


async def well() -> None: ...


async def away() -> None:
    raise Transient("PostgreSQL is not reachable")


async def broken() -> None:
    raise RuntimeError


async def get(app: Callable[..., Awaitable[None]], path: str) -> tuple[int, bytes, bytes]:
    """(status, content type, body) of an ASGI application."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "path": path, "headers": []}, None, send)
    start, body = sent
    return start["status"], dict(start["headers"])[b"content-type"], body["body"]


def started() -> Health:
    health = Health()
    health.started = True
    return health


async def test_a_service_is_ready_when_its_start_is_over_and_all_that_it_needs_is_there() -> None:
    health = Health()
    health.depends_on("nats", well)

    assert await health.report() == (False, {"nats": "ok", "start": "not finished"})
    health.started = True
    assert await health.report() == (True, {"nats": "ok"})
    health.stopping.set()
    assert await health.report() == (False, {"nats": "ok", "stop": "under way"})


async def test_each_dependency_is_told_by_name_with_what_it_says() -> None:
    health = started()
    for name, check in (("nats", well), ("postgres", away), ("qdrant", broken)):
        health.depends_on(name, check)

    assert await health.report() == (
        False,
        {"nats": "ok", "postgres": "PostgreSQL is not reachable", "qdrant": "RuntimeError"},
    )


async def test_a_dependency_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.process.health.CHECK_SECONDS", 0.01)
    health = started()
    health.depends_on("silent", asyncio.Event().wait)  # type: ignore[arg-type]  # what it returns is not read

    assert await health.report() == (False, {"silent": "no answer within 0.01 s"})


async def test_dependencies_are_asked_side_by_side() -> None:
    both_asked = asyncio.Barrier(2)

    async def check() -> None:
        await both_asked.wait()

    health = started()
    health.depends_on("one", check)
    health.depends_on("other", check)

    assert (await health.report())[0]


@pytest.mark.parametrize(
    ("path", "check", "status"),
    [
        ("/healthz", well, 200),
        ("/healthz", away, 200),
        ("/readyz", well, 200),
        ("/readyz", away, 503),
        ("/metrics", away, 200),
        ("/elsewhere", well, 404),
    ],
)
async def test_a_process_lives_also_while_it_is_not_ready(
    path: str, check: Callable[[], Awaitable[None]], status: int
) -> None:
    health = started()
    health.depends_on("postgres", check)

    assert (await get(health_app(health), path))[0] == status


async def test_readiness_is_json_that_names_the_dependencies() -> None:
    health = started()
    health.depends_on("postgres", away)

    _, media_type, body = await get(health_app(health), "/readyz")

    assert media_type == b"application/json"
    assert msgspec.json.decode(body) == {
        "ready": False,
        "dependencies": {"postgres": "PostgreSQL is not reachable"},
    }


async def test_health_is_answered_beside_an_application_and_everything_else_by_it() -> None:
    async def teapot(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": [(b"content-type", b"tea")]})
        await send({"type": "http.response.body", "body": b""})

    app = with_health(teapot, started())

    assert [(await get(app, path))[0] for path in ("/healthz", "/readyz", "/metrics", "/v1/turns")] == [
        200,
        200,
        200,
        418,
    ]


async def test_a_service_is_ready_until_it_is_told_to_stop() -> None:
    health = Health()
    running = asyncio.create_task(health.run_until_stopped())
    await asyncio.sleep(0)
    assert (await health.report())[0]

    health.stopping.set()

    async with asyncio.timeout(10):
        await running


async def test_a_taken_port_is_named_with_the_setting_that_changes_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(SettingsError, match=rf"INDEXER_PORT={port}: .*set INDEXER_PORT"):
            async with serve_http(health_app(Health()), "127.0.0.1", port, "INDEXER_PORT"):
                pass
