"""Wires the gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from ssl import SSLContext

import aiohttp
from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from services.gateway.access.callers import KnownCallers
from services.gateway.access.keys import Keys
from services.gateway.access.nats import BusKeys
from services.gateway.access.oidc import Provider, ProviderKeys, Tokens
from services.gateway.admin.routes import admin_routes
from services.gateway.asking.nats import BusAsk
from services.gateway.exports.routes import export_routes
from services.gateway.files.routes import file_routes
from services.gateway.files.uploads import Uploads
from services.gateway.forgetting.orders import Forgetting
from services.gateway.forgetting.routes import forgetting_routes
from services.gateway.http.addresses import AddressedApp, named
from services.gateway.http.auth import Callers, DeclaredAbilities, authenticated
from services.gateway.http.browsers import Doors, guarded
from services.gateway.http.methods import with_all_methods
from services.gateway.http.observed import observed
from services.gateway.http.parameters import Call
from services.gateway.http.problems import EXCEPTION_HANDLERS
from services.gateway.http.room import with_room
from services.gateway.http.site import public_routes
from services.gateway.imports.messages import MessageImport
from services.gateway.imports.routes import import_routes
from services.gateway.limits.counts import Counts
from services.gateway.limits.limiting import Limits, limited
from services.gateway.limits.places import Holders, OwnHolders, Places, SharedHolders
from services.gateway.limits.tokens import count_tokens
from services.gateway.live.nats import BusLiveTurns
from services.gateway.live.sse import OpenStreams
from services.gateway.mcp.documents import TurnDocuments
from services.gateway.mcp.routes import McpEndpoint, post_mcp
from services.gateway.mcp.tools import Tools
from services.gateway.memory.routes import memory_routes
from services.gateway.openai.conversations import Conversations
from services.gateway.openai.counted import CountedGenerations
from services.gateway.openai.embeddings import embedding_routes
from services.gateway.openai.known_fields import KnownFields
from services.gateway.openai.nats import BusChats, BusGenerations
from services.gateway.openai.open_webui import OpenWebUiUsers
from services.gateway.openai.raw_answers import RawAnswers
from services.gateway.openai.raw_chats import RawChats
from services.gateway.openai.routes import openai_routes
from services.gateway.openai.texts import text_routes
from services.gateway.openai.turn_chats import TurnChats
from services.gateway.programs.nats import Programs
from services.gateway.responses.belonging import Belonging
from services.gateway.responses.conversation_items import ConversationItems
from services.gateway.responses.conversation_routes import conversation_routes
from services.gateway.responses.kept_conversations import KeptConversations
from services.gateway.responses.known_responses import KnownResponses
from services.gateway.responses.raw_responses import RawResponses
from services.gateway.responses.routes import response_routes
from services.gateway.responses.turn_responses import TurnResponses
from services.gateway.sessions.routes import session_routes
from services.gateway.settings import GatewaySettings, listed
from services.gateway.turns.admission import Admission
from services.gateway.turns.control import Controls
from services.gateway.turns.events import TurnEvents
from services.gateway.turns.intake import Intake
from services.gateway.turns.lookup import Lookup
from services.gateway.turns.nats import BusPromises, BusTurns
from services.gateway.turns.refusals import SessionBusy
from services.gateway.turns.routes import on_session_busy, turn_routes
from shared.bus.connection import Bus
from shared.contract.abilities import Ability
from shared.contract.requests import Models, Ping, Recipes
from shared.process.environment import SettingsError
from shared.process.health import Health, with_health
from shared.process.http import serve_http
from shared.process.tls import Certificate
from shared.process.version import VERSION
from shared.redis.server import RedisServer

_LAST_WORDS_SECONDS = 3.0
"""How long open event streams hold up a stop. Their readers join again at the next start."""
_HOLD_SECONDS = 3.0
"""An outage that lasts longer is said at once: thousands of requests must not wait here."""
_ESCAPED = 6
"""The most bytes that JSON may spend on one byte of text."""


async def serve(settings: GatewaySettings, health: Health) -> None:
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(Bus.connect("gateway", settings, hold_seconds=_HOLD_SECONDS))
        health.depends_on("disk", settings.disk.check)
        keys = keys_of(settings)
        watched = BusKeys(bus, keys)
        stack.callback(asyncio.create_task(watched.run()).cancel)
        await demand_keys(settings, keys, watched)
        health.depends_on("nats", watched.check)
        health.depends_on("orchestrator", bus.check_of(Recipes()))
        health.depends_on("indexer", bus.check_of(Ping()))
        health.depends_on("inference", bus.check_of(Models()))
        live = BusLiveTurns(bus, buffer_events=settings.sse_buffer_events)
        stack.callback(asyncio.create_task(live.watch_connection()).cancel)
        streams = OpenStreams(heartbeat_seconds=settings.heartbeat_seconds)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        callers = KnownCallers(keys, tokens_of(settings, http))
        redis = await stack.enter_async_context(_redis(settings, health))
        limits = Limits(settings, Counts(redis))
        if limits.count_tokens:
            await count_tokens(bus, limits)
        holders = OwnHolders() if redis is None else SharedHolders(redis)
        app = application(api(bus, live, streams, settings, holders, limits), settings, callers, limits)
        lookup = Lookup(BusAsk(bus, hold_seconds=_HOLD_SECONDS), live)
        places = Places(settings.limit_turns, holders, lookup.has_ended)
        await Programs(bus, live, lookup, limits, places, settings.disk.demand).serve()
        await bus.serve("HTTP in front of the bus", [])
        await stack.enter_async_context(
            serve_http(
                guarded(with_health(observed(app), health), doors_of(settings)),
                settings.gateway_host,
                settings.gateway_port,
                "GATEWAY_PORT",
                stop_timeout=min(_LAST_WORDS_SECONDS, settings.stop_timeout_seconds),
                tls=_followed(certificate_of(settings), stack),
                trusted_proxies=listed(settings.trusted_proxies),
                silence_seconds=settings.client_silence_seconds,
            )
        )
        await health.run_until_stopped()
        streams.stop()


def doors_of(settings: GatewaySettings) -> Doors:
    return Doors(
        is_loopback=settings.is_loopback,
        hosts=frozenset(listed(settings.allowed_hosts.lower())),
        origins=frozenset(listed(settings.cors_origins)),
    )


def certificate_of(settings: GatewaySettings) -> Certificate | None:
    """Raises SettingsError."""
    certificate, key = settings.gateway_tls_cert_file, settings.gateway_tls_key_file
    return Certificate(certificate, key, "GATEWAY_TLS_CERT_FILE") if certificate and key else None


def _followed(certificate: Certificate | None, stack: AsyncExitStack) -> SSLContext | None:
    if certificate is None:
        return None
    stack.callback(asyncio.create_task(certificate.follow()).cancel)
    return certificate.context


def keys_of(settings: GatewaySettings) -> Keys:
    return Keys(
        settings.users_by_key(),
        settings.admins(),
        may_be_open=settings.is_loopback and not settings.oidc_issuer,
    )


def tokens_of(settings: GatewaySettings, http: aiohttp.ClientSession) -> Tokens | None:
    if settings.oidc_issuer is None:
        return None
    provider = Provider(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        algorithms=listed(settings.oidc_algorithms),
        user_claim=settings.oidc_user_claim,
        role_claim=settings.oidc_role_claim,
        leeway_seconds=settings.oidc_leeway_seconds,
    )
    return Tokens(provider, ProviderKeys(http, settings.oidc_issuer))


async def demand_keys(settings: GatewaySettings, keys: Keys, watched: BusKeys) -> None:
    """Raises SettingsError where other machines would reach a gateway that lets nobody in."""
    if settings.is_loopback or settings.oidc_issuer or keys.lets_in(datetime.now(UTC)):
        return
    await watched.until_read()
    if not keys.lets_in(datetime.now(UTC)):
        raise SettingsError(
            f"GATEWAY_HOST={settings.gateway_host} is reachable from other machines, and there is no valid "
            "API key. Start with GATEWAY_HOST=127.0.0.1 and run `pandora keys create --user NAME`, or set "
            "API_KEYS or OIDC_ISSUER. Then start again."
        )


@asynccontextmanager
async def _redis(settings: GatewaySettings, health: Health) -> AsyncIterator[RedisServer | None]:
    """Nothing is asked of it where no limit is set."""
    if settings.redis_url is None or not settings.has_limits:
        yield None
        return
    async with RedisServer.connected(settings.redis_url.get_secret_value()) as server:
        health.tells_of("limits", server.check)
        yield server


def api(
    bus: Bus,
    live: BusLiveTurns,
    streams: OpenStreams,
    settings: GatewaySettings,
    holders: Holders,
    limits: Limits,
    *,
    hold_seconds: float = _HOLD_SECONDS,
) -> Router:
    """Everything under /v1, and /mcp: the routes of all rooms, and what they ask for by name."""
    ask = BusAsk(bus, hold_seconds=hold_seconds)
    lookup = Lookup(ask, live)
    controls = Controls(ask, input_limit_bytes=settings.input_limit_bytes)
    places = Places(settings.limit_turns, holders, lookup.has_ended)
    admission = Admission(ask, places, input_limit_bytes=settings.input_limit_bytes)
    intake = Intake(BusTurns(bus), BusPromises(bus), live, streams, admission, lookup, controls)
    conversations, forgetting = KeptConversations(ask), Forgetting(ask, bus.publish)
    claims = Conversations(BusChats(bus))
    generations = CountedGenerations(BusGenerations(bus), limits.note_tokens)
    raw_answers = RawAnswers(generations, streams)
    given = {
        "ask": ask,
        "lookup": lookup,
        "controls": controls,
        "limits": limits,
        "intake": intake,
        "turn_chats": TurnChats(intake, controls, claims, streams),
        "open_webui_users": OpenWebUiUsers(settings.openwebui_jwt_secret.get_secret_value()),
        "kept_conversations": conversations,
        "conversation_items": ConversationItems(ask, lookup, conversations),
        "turn_responses": TurnResponses(intake, claims, Belonging(lookup, conversations), streams),
        "raw_responses": RawResponses(generations, streams),
        "known_responses": KnownResponses(ask, lookup, live, controls, forgetting, streams),
        "known_fields": KnownFields(is_strict=settings.openai_routes_strict),
        "raw_chats": RawChats(raw_answers),
        "raw_answers": raw_answers,
        "turn_events": TurnEvents(live, lookup, streams),
        "message_import": MessageImport(
            ask, limit_bytes=settings.import_limit_bytes, timeout_seconds=settings.import_timeout_seconds
        ),
        "uploads": Uploads(ask, limit_bytes=settings.file_limit_bytes),
        "forgetting": forgetting,
        "mcp": McpEndpoint(Tools(ask, intake, lookup).listed(), TurnDocuments(ask), settings.disk),
    }
    return Router(
        "/",
        route_handlers=[
            Router("/v1", route_handlers=v1_routes(file_limit_bytes=settings.file_limit_bytes)),
            post_mcp,
        ],
        dependencies={name: _provided(value) for name, value in given.items()},
    )


def v1_routes(*, file_limit_bytes: int) -> list[ControllerRouterHandler]:
    return [
        *turn_routes,
        *memory_routes,
        *import_routes,
        *forgetting_routes,
        *export_routes,
        *file_routes(limit_bytes=file_limit_bytes),
        *session_routes,
        *admin_routes,
        *openai_routes,
        response_routes,
        conversation_routes,
        *text_routes,
        *embedding_routes,
    ]


def _provided(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def application(routes: Router, settings: GatewaySettings, callers: Callers, limits: Limits) -> Litestar:
    return AddressedApp(
        route_handlers=[routes, *public_routes],
        request_class=Call,
        middleware=[
            authenticated(callers),
            limited(limits),
            with_room(settings.disk),
            named,
            with_all_methods,
        ],
        plugins=[DeclaredAbilities()],
        exception_handlers=EXCEPTION_HANDLERS | {SessionBusy: on_session_busy},
        request_max_body_size=_ESCAPED * settings.input_limit_bytes + 64 * 1024,
        cors_config=_cors_of(settings),
        openapi_config=OpenAPIConfig(
            title="Pandora",
            version=VERSION,
            # The JSON alone: Litestar's pages load their scripts from other hosts.
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            openapi_router=Router(
                "/", route_handlers=[], include_in_schema=False, opt={"ability": Ability.PUBLIC}
            ),
        ),
        logging_config=None,
    )


def _cors_of(settings: GatewaySettings) -> CORSConfig | None:
    """Keys come in a header and never in a cookie: no credentials."""
    origins = listed(settings.cors_origins)
    exposed = ["location", "retry-after", "x-request-id", "server-timing"]
    return CORSConfig(allow_origins=origins, expose_headers=exposed) if origins else None
