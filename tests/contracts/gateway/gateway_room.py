"""A gateway over HTTP in front of a real nats-server, with an orchestrator and an indexer of a few lines."""

import asyncio
import warnings
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec
from litestar import Litestar
from litestar.exceptions import LitestarDeprecationWarning
from pydantic import SecretStr
from yarl import URL

from services.gateway.access.callers import KnownCallers
from services.gateway.access.nats import BusKeys
from services.gateway.app import api, application, doors_of, keys_of, tokens_of
from services.gateway.http.browsers import guarded
from services.gateway.limits.counts import Counts
from services.gateway.limits.limiting import Limits
from services.gateway.limits.places import OwnHolders
from services.gateway.limits.tokens import count_tokens
from services.gateway.live.nats import BusLiveTurns
from services.gateway.live.sse import OpenStreams
from services.gateway.settings import GatewaySettings
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused, Transient
from shared.contract.events import AnyLiveEvent, Queued, encode
from shared.contract.requests import (
    Control,
    Controlled,
    EventsReply,
    FindRunning,
    FindUnended,
    GetEvents,
    GetTurn,
    Hit,
    ImportedMessage,
    ImportMessages,
    ImportReply,
    ListUnended,
    Recipes,
    RecipesReply,
    RunningReply,
    Search,
    SearchReply,
    TurnRecord,
    UnendedTurn,
    UnendedTurns,
)
from shared.process.http import serve_http
from tests.servers.ports import free_ports
from tests.unit.samples import AT

KEYS = {"alice": "alice-secret-key", "bob": "bob-secret-key"}


class Orchestrator:
    """Answers from what a test has put here, and records what it was told."""

    def __init__(self) -> None:
        self.running: UnendedTurn | None = None
        self.unended: dict[str, UnendedTurn] = {}
        self.records: dict[str, TurnRecord] = {}
        self.events: dict[str, list[AnyLiveEvent]] = {}
        self.told: list[Control] = []

    @endpoint
    async def recipes(self, _: Recipes) -> RecipesReply:
        return RecipesReply(names=["direct"])

    @endpoint
    async def find_running(self, _: FindRunning) -> RunningReply:
        return RunningReply(turn=self.running)

    @endpoint
    async def find_unended(self, request: FindUnended) -> UnendedTurn:
        return _of_user(self.unended.get(request.turn_id), request.user)

    @endpoint
    async def list_unended(self, request: ListUnended) -> UnendedTurns:
        own = [turn for turn in self.unended.values() if turn.user == request.user]
        left = [
            turn for turn in own if turn.turn_number > request.after and request.status in (None, turn.status)
        ]
        counts = Counter(turn.status for turn in own)
        return UnendedTurns(
            turns=left[: request.limit],
            more=len(left) > request.limit,
            queued=counts["queued"],
            running=counts["running"],
            waiting=counts["waiting"],
        )

    @endpoint
    async def get_turn(self, request: GetTurn) -> TurnRecord:
        return _of_user(self.records.get(request.turn_id), request.user)

    @endpoint
    async def get_events(self, request: GetEvents) -> EventsReply:
        if request.turn_id not in self.events:
            raise Refused(404, "there is no such turn")
        left = [event for event in self.events[request.turn_id] if event.index > request.after]
        return EventsReply(events=[msgspec.Raw(encode(event)) for event in left], more=False)

    @endpoint
    async def control(self, request: Control) -> Controlled:
        self.told.append(request)
        if request.action == "steer":
            return Controlled(
                turn_id=request.turn_id, found="running", phase="gather", done=True, takes_effect="synthesis"
            )
        return Controlled(turn_id=request.turn_id, found="queued", done=True)


class Indexer:
    """Stores messages, finds those that contain the query, and records what it was asked."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str, str], ImportedMessage] = {}
        self.imports: list[ImportMessages] = []
        self.searches: list[Search] = []
        self.takes = 1_000_000
        """How many requests it stores. It answers later ones as if its database were away."""
        self.busy: set[tuple[str, str]] = set()
        """Sessions of the requests in hand."""
        self.overlapped = False
        """Two of them were of one session."""

    @endpoint
    async def store(self, request: ImportMessages) -> ImportReply:
        if len(self.imports) >= self.takes:
            raise Transient("the database is away")
        self.imports.append(request)
        sessions = {(request.user, message.session_id) for message in request.messages}
        self.overlapped |= bool(sessions & self.busy)
        self.busy |= sessions
        await asyncio.sleep(0.01)
        self.busy -= sessions
        new = changed = 0
        for message in request.messages:
            key = (request.user, message.session_id, message.message_id)
            before = self.held.get(key)
            new += before is None
            changed += before is not None and before.text != message.text
            self.held[key] = message
        return ImportReply(new=new, changed=changed, known=len(request.messages) - new - changed)

    @endpoint
    async def search(self, request: Search) -> SearchReply:
        self.searches.append(request)
        hits = [
            Hit(
                kind="turn",
                id=message.message_id,
                score=1.0,
                text=message.text,
                session_id=message.session_id,
                at=message.at,
                message_ids=[message.message_id],
                speaker=message.speaker,
            )
            for (user, _, _), message in self.held.items()
            if user == request.user and request.query in message.text
        ]
        return SearchReply(hits=hits[: request.limit])


T = TypeVar("T", UnendedTurn, TurnRecord)


def _of_user(found: T | None, user: str) -> T:
    if found is None or found.user != user:
        raise Refused(404, "there is no such turn")
    return found


def unended(turn_id: str, **more: Any) -> UnendedTurn:
    fields: dict[str, Any] = {"turn_number": 42, "status": "running", **more}
    return UnendedTurn(
        turn_id=turn_id, session_id="kitchen", user="alice", input="Hello", requested_at=AT, **fields
    )


def queued(turn_id: str, index: int = 0) -> Queued:
    return Queued(index=index, turn_id=turn_id, turn_number=42, session_id="kitchen", user="alice")


class Client:
    """HTTP as alice, unless a test names another user."""

    def __init__(self, http: aiohttp.ClientSession, url: str, app: Litestar, streams: OpenStreams) -> None:
        self._http = http
        self.url = url
        self.app = app
        self.streams = streams

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: object = None, *, user: str = "alice", **headers: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A body is sent as JSON. Bytes, and an iterator of bytes, are sent as they are."""
        sent = {"x-api-key": KEYS[user]} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.open_as_stranger(method, path, body, sent) as response:
            yield response

    @asynccontextmanager
    async def open_as_stranger(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """With these headers alone, and so without a key unless they have one."""
        plain = {"data": body} if isinstance(body, bytes | AsyncIterable) else {"json": body}
        async with (
            asyncio.timeout(20),
            self._http.request(
                method, URL(self.url + path, encoded=True), headers=headers, **plain
            ) as response,
        ):
            yield response

    async def call(self, method: str, path: str, body: object = None, **more: str) -> tuple[int, Any]:
        async with self.open(method, path, body, **more) as response:
            return response.status, await response.json()

    async def call_as_stranger(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        async with self.open_as_stranger(method, path, body, headers) as response:
            return response.status, await response.json()


@asynccontextmanager
async def gateway_over_http(bus: Bus, *, hold_seconds: float = 3.0, **settings: Any) -> AsyncIterator[Client]:
    (port,) = free_ports(1)
    fixed = SecretStr(",".join(f"{user}:{key}" for user, key in KEYS.items()))
    chosen = GatewaySettings.model_construct(**{"api_keys": fixed, "gateway_port": port, **settings})
    live = BusLiveTurns(bus, buffer_events=chosen.sse_buffer_events)
    streams = OpenStreams(heartbeat_seconds=chosen.heartbeat_seconds)
    keys = keys_of(chosen)
    async with _watched(BusKeys(bus, keys)), aiohttp.ClientSession() as http:
        with warnings.catch_warnings():
            # How Litestar 3 will want dependencies to be marked; pyproject.toml keeps us below it.
            warnings.simplefilter("ignore", LitestarDeprecationWarning)
            limits = Limits(chosen, Counts(None))
            if limits.count_tokens:
                await count_tokens(bus, limits)
            routes = api(bus, live, streams, chosen, OwnHolders(), limits, hold_seconds=hold_seconds)
            callers = KnownCallers(keys, tokens_of(chosen, http))
            app = application(routes, chosen, callers, limits)
        doors = doors_of(chosen)
        silence = chosen.client_silence_seconds
        async with serve_http(
            guarded(app, doors), "127.0.0.1", port, "GATEWAY_PORT", stop_timeout=1.0, silence_seconds=silence
        ):
            yield Client(http, f"http://127.0.0.1:{port}", app, streams)


@asynccontextmanager
async def _watched(keys: BusKeys) -> AsyncIterator[None]:
    watching = asyncio.create_task(keys.run())
    try:
        await keys.until_read()
        yield
    finally:
        watching.cancel()
