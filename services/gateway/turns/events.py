"""The events of a turn over HTTP."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter, Parameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.http.parameters import Call
from services.gateway.http.responses import REFUSALS, sent_as
from services.gateway.live.ports import LiveTurns
from services.gateway.live.sse import EventStream, OpenStreams
from services.gateway.turns.lookup import Lookup
from shared.contract.abilities import Ability
from shared.contract.errors import Refused

EVENTS = {HTTP_200_OK: sent_as(str, "The turn's events", "text/event-stream")}


class TurnEvents:
    def __init__(self, live: LiveTurns, lookup: Lookup, streams: OpenStreams) -> None:
        self._live = live
        self._lookup = lookup
        self._streams = streams

    async def stream(self, turn_id: str, user: str, after: int) -> EventStream:
        """Sends every event after `after`: live ones while they are stored, then those of the record.

        Raises Refused (404).
        """
        await self._lookup.check_owner(turn_id, user)
        follow = self._live.follow(turn_id, user, after=after, from_the_start=False)
        return self._streams.response(follow)


@get(
    "/turns/{turn_id:str}/events",
    ability=Ability.TURNS_READ,
    responses=EVENTS | REFUSALS,
    summary="The turn's events: earlier ones, then new ones as they come",
)
async def get_events(
    turn_id: str,
    request: Call,
    turn_events: TurnEvents,
    starting_after: Annotated[int | None, Parameter(ge=-1)] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="last-event-id")] = None,
) -> EventStream:
    after = starting_after if starting_after is not None else _index_of(last_event_id)
    return await turn_events.stream(turn_id, request.user.name, after)


def _index_of(last_event_id: str | None) -> int:
    if not last_event_id:
        return -1
    if not last_event_id.isdecimal():
        raise Refused(400, "Last-Event-ID must be an event's id: a whole number", "Last-Event-ID")
    return int(last_event_id)


event_routes: list[HTTPRouteHandler] = [get_events]
