"""The bus for users' own programs: what they send reaches the services as theirs, whatever user it names."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.micro.request import Request as MicroRequest

from services.gateway.http.callers import Caller
from services.gateway.limits.limiting import Limits
from services.gateway.limits.places import Places
from services.gateway.live.ports import LiveTurns
from services.gateway.turns.lookup import Lookup
from shared.bus.answering import QUEUE_GROUP, refuse
from shared.bus.connection import Bus
from shared.bus.rights import inbox_of_user
from shared.contract.errors import Poison, Refused, Transient
from shared.contract.events import UNREADABLE, Event, TurnId, TurnRequested, decode, encode
from shared.contract.requests import UNAVAILABLE, Models, PutFile, Recipes
from shared.contract.requests import ImportMessages as Import
from shared.contract.subject_abilities import ABILITY_OF
from shared.contract.users import FOLLOW, OF_USERS, user_and_subject
from shared.contract.ways import ANYONE, Route, routes

log = logging.getLogger(__name__)
_SAME_FOR_ALL: Final = (Recipes.subject, Models.subject)
"""They name no user, and answer everyone the same."""
_BRING_IN: Final = (Import.subject, PutFile.subject)
_SILENCE_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 120.0


class _Follow(msgspec.Struct):
    turn_id: TurnId
    after: int = -1


def events_of_users() -> dict[str, type[Event]]:
    """The stored events that anyone may send, by subject. All of them name their user."""
    return {kind.subject: kind for kind in map(_event_of, _open_routes()) if kind is not None}


def requests_of_users() -> set[str]:
    """The requests that anyone may send, and that name a user. A part in braces may be anything."""
    named = {
        one.address
        for one in _open_routes()
        if one.is_asked and one.message is not None and "user" in one.message.__struct_fields__
    }
    return named | set(_SAME_FOR_ALL)


class Programs:
    """Takes what is sent to `user.<user>.>`. NATS lets each user's credentials publish to their own alone."""

    def __init__(
        self,
        bus: Bus,
        live: LiveTurns,
        lookup: Lookup,
        limits: Limits,
        places: Places,
        demand_room: Callable[[], None],
    ) -> None:
        """`demand_room` raises Refused while the disk is full."""
        self._bus = bus
        self._live = live
        self._lookup = lookup
        self._limits = limits
        self._places = places
        self._demand_room = demand_room
        self._events = events_of_users()
        self._requests = requests_of_users()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        await self._bus.connection.subscribe(f"{OF_USERS}.>", queue=QUEUE_GROUP, cb=self._start)

    async def _start(self, message: Msg) -> None:
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Msg) -> None:
        try:
            user, subject = user_and_subject(message.subject)
            if message.reply and not message.reply.startswith(f"{inbox_of_user(user)}."):
                return  # What a user asks must not be answered where only a gateway may send.
            await self._limits.admit(Caller(user), ABILITY_OF.get(subject))
            await self._limits.note_bytes(user, len(message.data))
            body = {**_object_in(message.data), "user": user}
            await self._carry(user, subject, body, message)
        except Refused as refusal:
            await _refuse(message, refusal)
        except Poison as error:
            await _refuse(message, Refused(400, str(error)))
        except (Transient, nats.errors.Error, TimeoutError) as error:
            await _refuse(message, Refused(UNAVAILABLE, str(error) or type(error).__name__))
        except Exception:
            log.exception("%s failed", message.subject)
            await _refuse(message, Refused(500, "the gateway failed; see its log"))

    async def _carry(self, user: str, subject: str, body: dict[str, Any], message: Msg) -> None:
        if subject in self._events:
            self._demand_room()
            event = decode(self._events[subject], encode(body))
            if isinstance(event, TurnRequested):
                await self._places.take(user, event.turn_id)
            sequence = await self._bus.publish(event)
            await self._respond(message, encode({"stream": "", "seq": sequence}))  # As JetStream answers.
        elif subject == FOLLOW:
            await self._follow(user, decode(_Follow, encode(body)), message)
        elif _may_be_asked(subject, self._requests):
            if subject in _BRING_IN:
                self._demand_room()
            answer = await self._bus.connection.request(subject, encode(body), timeout=_ANSWER_SECONDS)
            await self._respond(message, answer.data, answer.headers)
        else:
            raise Refused(404, f"{subject} is nothing that a user's program may ask")

    async def _follow(self, user: str, asked: _Follow, message: Msg) -> None:
        await self._lookup.check_owner(asked.turn_id, user)
        follow = self._live.follow(asked.turn_id, user, after=asked.after, from_the_start=False)
        async with follow as reader:
            while not reader.ended:
                for frame in await reader.read(_SILENCE_SECONDS):
                    await self._respond(message, frame.body)

    async def _respond(self, message: Msg, body: bytes, headers: dict[str, str] | None = None) -> None:
        if message.reply:
            await self._bus.connection.publish(message.reply, body, headers=headers)


async def _refuse(message: Msg, refusal: Refused) -> None:
    if message.reply:
        await refuse(MicroRequest(message), refusal)


def _open_routes() -> list[Route]:
    return [one for one in routes() if ANYONE in one.way.senders]


def _event_of(route: Route) -> type[Event] | None:
    kind = route.message
    return kind if isinstance(kind, type) and issubclass(kind, Event) else None


def _may_be_asked(subject: str, addresses: set[str]) -> bool:
    parts = subject.split(".")
    return any(_covers(address.split("."), parts) for address in addresses)


def _covers(address: list[str], parts: list[str]) -> bool:
    return len(address) == len(parts) and all(
        wanted == given or wanted.startswith("{") for wanted, given in zip(address, parts, strict=True)
    )


def _object_in(body: bytes) -> dict[str, Any]:
    """Raises Poison where the body is no JSON object."""
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except UNREADABLE as error:
        raise Poison(f"not a JSON object: {error}") from error
