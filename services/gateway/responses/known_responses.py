"""Responses that were made before: read, followed, stopped, forgotten."""

from collections.abc import AsyncGenerator

import msgspec

from services.gateway.asking.ports import Ask
from services.gateway.forgetting.orders import Forgetting
from services.gateway.live.ports import LiveTurns
from services.gateway.live.sse import EventStream, OpenStreams
from services.gateway.responses.events import ResponseEvent, ResponseEvents
from services.gateway.responses.following import FAREWELL, as_bytes, following
from services.gateway.responses.ids import no_such_response, turn_of
from services.gateway.responses.objects import InputMessage, Response
from services.gateway.responses.turn_views import Found, question_of, response_of
from services.gateway.turns.control import Controls
from services.gateway.turns.lookup import Lookup
from shared.contract.errors import Refused, Transient
from shared.contract.requests import GetOriginal

_LOOKS = 3
"""A turn may end between two looks, and a turn that has ended stays so."""


class KnownResponses:
    """Another user's response is answered like one that does not exist."""

    def __init__(
        self,
        ask: Ask,
        lookup: Lookup,
        live: LiveTurns,
        controls: Controls,
        forgetting: Forgetting,
        streams: OpenStreams,
    ) -> None:
        self._ask = ask
        self._lookup = lookup
        self._live = live
        self._controls = controls
        self._forgetting = forgetting
        self._streams = streams

    async def response(self, response: str, user: str) -> Response:
        """Raises Refused (404)."""
        return response_of(await self._found(response, user))

    async def question(self, response: str, user: str) -> InputMessage:
        """Raises Refused (404)."""
        return question_of(await self._found(response, user))

    async def stream(self, response: str, user: str, after: int) -> EventStream:
        """Sends every event after the number `after`. Raises Refused (404)."""
        found = await self._found(response, user)
        events = self._followed(ResponseEvents(found.head), found.turn.id, user)
        return EventStream(as_bytes(events, after), self._streams, farewell=FAREWELL)

    async def cancel(self, response: str, user: str) -> Response:
        """Returns the response as it will be: a turn whose cancel is kept can end in no other way.

        Raises Refused (404).
        """
        found = await self._found(response, user)
        if found.turn.ended_at is not None:
            return response_of(found)
        if (await self._controls.cancel(found.turn.id, user)).done:
            return found.head.response("cancelled", [])
        return await self.response(response, user)

    async def forget(self, response: str, user: str) -> None:
        """Raises Refused (404)."""
        try:
            await self._forgetting.turn(user, turn_of(response), now=False)
        except Refused as refused:
            raise no_such_response(response) if refused.status == 404 else refused from refused

    async def _followed(
        self, events: ResponseEvents, turn_id: str, user: str
    ) -> AsyncGenerator[list[ResponseEvent], None]:
        # From the first event on, whatever the client has: the numbers are counted.
        async with self._live.follow(turn_id, user, after=-1, from_the_start=False) as reader:
            async for made in following(events, reader, self._streams.heartbeat_seconds):
                yield made

    async def _found(self, response: str, user: str) -> Found:
        turn_id = turn_of(response)
        for _ in range(_LOOKS):
            try:
                turn = await self._lookup.turn(turn_id, user)
            except Refused as refused:
                raise no_such_response(response) if refused.status == 404 else refused from refused
            if turn.ended_at is not None:
                seen = [image.file_id for image in turn.images]
                return Found(turn=turn, recipe=turn.recipe or "", metadata=turn.metadata, images=seen)
            try:
                asked = await self._ask(GetOriginal(user=user, turn_id=turn_id))
            except Refused as refused:
                if refused.status != 404:
                    raise
                continue
            turn = msgspec.structs.replace(turn, input=asked.input)
            return Found(turn=turn, recipe=asked.recipe, metadata=asked.metadata, images=asked.images)
        raise Transient(f"{response} ends at this moment")
