"""A gateway over HTTP in front of a real nats-server, with an orchestrator and an indexer of a few lines."""

import asyncio
import warnings
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec
from litestar.exceptions import LitestarDeprecationWarning
from pydantic import SecretStr

from services.gateway.adapters.nats_live import BusLiveTurns
from services.gateway.app import application, gateway_over
from services.gateway.gateway import Gateway
from services.gateway.settings import GatewaySettings
from shared.bus import Bus
from shared.endpoints import Endpoint, Send
from shared.errors import Refused, Transient
from shared.events import AnyLiveEvent, Queued, encode
from shared.replies import (
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
from shared.runtime import serve_http
from tests.stack import free_ports
from tests.unit.samples import AT

KEYS = {"alice": "alice-secret-key", "bob": "bob-secret-key"}


class Orchestrator:
    """Answers from what a test has put here, and notes what it was told."""

    def __init__(self) -> None:
        self.running: UnendedTurn | None = None
        self.unended: dict[str, UnendedTurn] = {}
        self.records: dict[str, TurnRecord] = {}
        self.events: dict[str, list[AnyLiveEvent]] = {}
        self.told: list[Control] = []

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(Recipes, self.recipes),
            Endpoint(FindRunning, self.find_running),
            Endpoint(FindUnended, self.find_unended),
            Endpoint(ListUnended, self.list_unended),
            Endpoint(GetTurn, self.get_turn),
            Endpoint(GetEvents, self.get_events),
            Endpoint(Control, self.control),
        ]

    async def recipes(self, _: Recipes, __: Send) -> RecipesReply:
        return RecipesReply(names=["direct"])

    async def find_running(self, _: FindRunning, __: Send) -> RunningReply:
        return RunningReply(turn=self.running)

    async def find_unended(self, request: FindUnended, _: Send) -> UnendedTurn:
        return _of_user(self.unended.get(request.turn_id), request.user)

    async def list_unended(self, request: ListUnended, _: Send) -> UnendedTurns:
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

    async def get_turn(self, request: GetTurn, _: Send) -> TurnRecord:
        return _of_user(self.records.get(request.turn_id), request.user)

    async def get_events(self, request: GetEvents, _: Send) -> EventsReply:
        if request.turn_id not in self.events:
            raise Refused(404, "there is no such turn")
        behind = [event for event in self.events[request.turn_id] if event.index > request.after]
        return EventsReply(events=[msgspec.Raw(encode(event)) for event in behind], more=False)

    async def control(self, request: Control, _: Send) -> Controlled:
        self.told.append(request)
        if request.action == "steer":
            return Controlled(
                turn_id=request.turn_id, found="running", phase="gather", done=True, takes_effect="synthesis"
            )
        return Controlled(turn_id=request.turn_id, found="queued", done=True)


class Indexer:
    """Holds messages as they come, finds those that hold the query, and notes what it was asked."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str, str], ImportedMessage] = {}
        self.imports: list[ImportMessages] = []
        self.searches: list[Search] = []
        self.takes = 1_000_000
        """Requests to store; all behind them are too many for it."""
        self.busy: set[tuple[str, str]] = set()
        """Sessions of the requests in hand."""
        self.overlapped = False
        """Two of them were of one session."""

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(ImportMessages, self.store), Endpoint(Search, self.search)]

    async def store(self, request: ImportMessages, _: Send) -> ImportReply:
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

    async def search(self, request: Search, _: Send) -> SearchReply:
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
    """HTTP as alice, unless a test says otherwise."""

    def __init__(self, http: aiohttp.ClientSession, url: str, gateway: Gateway) -> None:
        self._http = http
        self._url = url
        self.gateway = gateway

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: object = None, *, user: str = "alice", **headers: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A body that is no JSON is bytes, or sends some as they come."""
        sent = {"x-api-key": KEYS[user]} | {name.replace("_", "-"): value for name, value in headers.items()}
        plain = {"data": body} if isinstance(body, bytes | AsyncIterable) else {"json": body}
        async with (
            asyncio.timeout(20),
            self._http.request(method, self._url + path, headers=sent, **plain) as response,
        ):
            yield response

    async def call(self, method: str, path: str, body: object = None, **more: str) -> tuple[int, Any]:
        async with self.open(method, path, body, **more) as response:
            return response.status, await response.json()


@asynccontextmanager
async def gateway_over_http(bus: Bus, **settings: Any) -> AsyncIterator[Client]:
    (port,) = free_ports(1)
    keys = ",".join(f"{user}:{key}" for user, key in KEYS.items())
    chosen = GatewaySettings.model_construct(api_keys=SecretStr(keys), gateway_port=port, **settings)
    gateway = gateway_over(bus, BusLiveTurns(bus, buffer_events=chosen.sse_buffer_events), chosen)
    with warnings.catch_warnings():
        # How Litestar 3 will want dependencies to be marked; pyproject.toml keeps us below it.
        warnings.simplefilter("ignore", LitestarDeprecationWarning)
        app = application(gateway, chosen)
    async with (
        serve_http(app, "127.0.0.1", port, "GATEWAY_PORT", stop_timeout=1.0),
        aiohttp.ClientSession() as http,
    ):
        yield Client(http, f"http://127.0.0.1:{port}", gateway)
