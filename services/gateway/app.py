"""Wires the gateway."""

import asyncio
import hmac
from contextlib import AsyncExitStack
from typing import Any

from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from services.gateway.adapters.nats_keys import BusPromises
from services.gateway.adapters.nats_live import BusLiveTurns
from services.gateway.adapters.nats_turns import BusTurns
from services.gateway.admin import admin_api, admins_only
from services.gateway.domain.naming import Naming
from services.gateway.export import export_routes
from services.gateway.files import file_routes
from services.gateway.forgetting import forgetting_routes
from services.gateway.gateway import Gateway
from services.gateway.importing import Imports
from services.gateway.intake import Intake
from services.gateway.memories import memory_routes
from services.gateway.middleware import observed
from services.gateway.problems import EXCEPTION_HANDLERS
from services.gateway.queue import queue_routes
from services.gateway.research import research_routes
from services.gateway.routes import turn_routes
from services.gateway.search import search_routes
from services.gateway.sessions import session_routes
from services.gateway.settings import GatewaySettings
from services.gateway.site import docs, docs_asset
from shared.bus import VERSION, Bus
from shared.errors import Refused
from shared.events import LOCAL_USER
from shared.replies import Count, Models, Recipes
from shared.runtime import Health, answers, beside_health, serve_http

_LAST_WORDS_SECONDS = 3.0
"""How long open event streams hold up a stop; their readers join again at the next start."""
_HOLD_SECONDS = 3.0
"""An outage of NATS older than this is said at once: a gateway must not hold thousands of requests in it."""
_ESCAPED = 6
"""The most bytes that JSON may spend on one byte of text."""


async def serve(settings: GatewaySettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(Bus.connect("gateway", settings, hold_seconds=_HOLD_SECONDS))
        health.depends_on("nats", bus.check)
        health.depends_on("orchestrator", answers(bus, Recipes()))
        health.depends_on("indexer", answers(bus, Count()))
        health.depends_on("inference", answers(bus, Models()))
        live = BusLiveTurns(bus, buffer_events=settings.sse_buffer_events)
        stack.callback(asyncio.create_task(live.watch_connection()).cancel)
        gateway = gateway_over(bus, live, settings)
        await bus.serve("HTTP in front of the bus", [])
        await stack.enter_async_context(
            serve_http(
                beside_health(observed(application(gateway, settings)), health),
                settings.gateway_host,
                settings.gateway_port,
                "GATEWAY_PORT",
                stop_timeout=min(_LAST_WORDS_SECONDS, settings.stop_timeout_seconds),
            )
        )
        await health.run_until_stopped()
        gateway.stop()


def gateway_over(bus: Bus, live: BusLiveTurns, settings: GatewaySettings) -> Gateway:
    turns = BusTurns(bus)
    return Gateway(
        turns,
        live,
        Intake(turns, live, BusPromises(bus), input_limit_bytes=settings.input_limit_bytes),
        input_limit_bytes=settings.input_limit_bytes,
        heartbeat_seconds=settings.heartbeat_seconds,
    )


def application(gateway: Gateway, settings: GatewaySettings) -> Litestar:
    users = settings.users_by_key()
    naming = Naming(settings.admins())
    imports = Imports(
        gateway,
        limit_bytes=settings.import_limit_bytes,
        timeout_seconds=settings.import_timeout_seconds,
    )

    # Takes the gateway for nothing but the order: two dependencies that do not depend on each other are
    # resolved in a task group, which costs more than both.
    async def user(request: Request[Any, Any, Any], gateway: Gateway) -> str:
        return _user_of(request, users) if users else LOCAL_USER

    return Litestar(
        route_handlers=[
            Router(
                "/v1",
                route_handlers=[
                    *turn_routes,
                    *queue_routes,
                    *search_routes,
                    *memory_routes,
                    *forgetting_routes,
                    *export_routes,
                    *file_routes(settings.file_limit_bytes),
                    *session_routes,
                    *research_routes,
                ],
            ),
            admin_api,
            docs,
            docs_asset,
        ],
        dependencies={
            "gateway": Provide(lambda: gateway, sync_to_thread=False),
            "user": Provide(user),
            "naming": Provide(lambda: naming, sync_to_thread=False),
            "imports": Provide(lambda: imports, sync_to_thread=False),
            "admin": Provide(admins_only(settings.admins())),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        request_max_body_size=_ESCAPED * settings.input_limit_bytes + 64 * 1024,
        openapi_config=OpenAPIConfig(
            title="Pandora",
            version=VERSION,
            path="/",
            # The JSON alone: Litestar's pages load their scripts from other hosts.
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
    )


def _user_of(request: Request[Any, Any, Any], users: dict[str, str]) -> str:
    header = request.headers.get("authorization", "")
    given = header[7:] if header.lower().startswith("bearer ") else request.headers.get("x-api-key", "")
    found = ""
    for key, user in users.items():  # All of them, so that the time tells nothing about a key.
        if hmac.compare_digest(key.encode(), given.encode()):
            found = user
    if not found:
        raise Refused(401, "send `Authorization: Bearer <key>` with a key from API_KEYS")
    return found
