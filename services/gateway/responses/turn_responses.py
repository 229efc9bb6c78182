"""A response by a turn: accepted once, followed to its end."""

from collections.abc import AsyncGenerator
from contextlib import suppress

import msgspec

from services.gateway.live.sse import EventStream, OpenStreams
from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.conversations import Claim, Conversations
from services.gateway.openai.models import TurnRecipe
from services.gateway.openai.session_names import NamedSession
from services.gateway.responses.belonging import Belonging, Place
from services.gateway.responses.events import ErrorEvent, Lifecycle, ResponseEvent, ResponseEvents
from services.gateway.responses.following import FAREWELL, as_bytes, following
from services.gateway.responses.objects import Head, Response, echo_of, with_echo
from services.gateway.responses.request import ResponseRequest, content_of, conversation_in, response_format
from services.gateway.responses.turn_views import head_of
from services.gateway.turns.intake import Followed, Intake
from services.gateway.turns.views import AcceptedTurn, NewTurn
from shared.contract.errors import Refused, Transient


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and what its headers say."""

    request: ResponseRequest
    user: str
    session: NamedSession | None
    """The session that is named."""
    again: bool
    """As in `Conversations.claim`."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A stored turn that answers a request."""

    claim: Claim
    followed: Followed
    head: Head

    @property
    def headers(self) -> dict[str, str]:
        return headers_of(self.followed.accepted)


def headers_of(turn: AcceptedTurn) -> dict[str, str]:
    return {"x-pandora-session": turn.session_id, "x-pandora-turn": turn.id}


class TurnResponses:
    def __init__(
        self, intake: Intake, conversations: Conversations, belonging: Belonging, streams: OpenStreams
    ) -> None:
        self._intake = intake
        self._conversations = conversations
        self._belonging = belonging
        self._streams = streams

    async def accept(self, sent: Sent, recipe: TurnRecipe) -> Accepted:
        """Returns when the turn is stored. Raises Refused."""
        claim, turn = await self._claimed(sent, recipe)
        followed = await self._intake.accept_and_follow(turn, sent.user, claim.chat.key)
        return Accepted(claim=claim, followed=followed, head=head_of(followed.accepted.id, turn.metadata))

    async def begin(self, sent: Sent, recipe: TurnRecipe) -> tuple[Response, AcceptedTurn]:
        """As `accept`, for a client that reads on by the response's id."""
        claim, turn = await self._claimed(sent, recipe)
        accepted = await self._intake.accept(turn, sent.user, claim.chat.key)
        with suppress(Transient):
            await self._conversations.settled(claim, accepted.turn_number)
        return head_of(accepted.id, turn.metadata).response("queued", []), accepted

    async def _claimed(self, sent: Sent, recipe: TurnRecipe) -> tuple[Claim, NewTurn]:
        request = sent.request
        check_for_turn(request)
        content = content_of(request)
        place = await self._belonging.place_of(request, sent.user)
        named = sent.session if place is None else _one_session(place, sent.session)
        metadata = with_echo(request.metadata, echo_of(request, is_held=recipe.is_unapproved))
        chat = ChatRequest(
            model=request.model,
            messages=conversation_in(request),
            stream=request.stream,
            metadata=metadata,
        )
        claim = await self._conversations.claim(chat, sent.user, named, again=sent.again)
        turn = NewTurn(
            input=content,
            session_id=claim.chat.session_id,
            recipe=recipe.name,
            metadata=metadata,
            follows=place.after if place is not None else claim.chat.follows,
        )
        return claim, turn

    async def response(self, accepted: Accepted) -> Response:
        """Returns the response at its end. Raises Refused where it failed. Cancelled: the turn goes on."""
        # Nothing is said before the end: an answer that begins anew is no matter.
        events = ResponseEvents(accepted.head, is_held=True)
        last: ResponseEvent | None = None
        async for made in self._followed(accepted, events):
            last = made[-1] if made else last
        match last:
            case Lifecycle(response=Response(error=None) as response):
                return response
            case Lifecycle(response=Response(error=error)) if error is not None:
                raise Refused(422 if error.code == "invalid_prompt" else 500, error.message)
            case ErrorEvent(message=message):
                raise Refused(500, message)
            case _:
                raise Refused(500, f"the response of turn {accepted.head.turn_id} has no end")

    def stream(self, accepted: Accepted) -> EventStream:
        events = self._followed(accepted, ResponseEvents(accepted.head))
        return EventStream(as_bytes(events), self._streams, farewell=FAREWELL, headers=accepted.headers)

    async def _followed(
        self, accepted: Accepted, events: ResponseEvents
    ) -> AsyncGenerator[list[ResponseEvent], None]:
        async with accepted.followed.events as reader:
            async for made in following(events, reader, self._streams.heartbeat_seconds):
                if events.has_ended:  # Before its last event: after that a client goes at once.
                    await self._settle(accepted, made[-1])
                yield made

    async def _settle(self, accepted: Accepted, last: ResponseEvent) -> None:
        claim, number = accepted.claim, accepted.followed.accepted.turn_number
        with suppress(Transient):
            match last:
                case Lifecycle(response=Response(status="completed", output=[message])):
                    await self._conversations.answered(claim, number, message.content[0].text)
                case _:
                    await self._conversations.settled(claim, number)


def check_for_turn(request: ResponseRequest) -> None:
    """Raises Refused for what a turn would answer as if it were not there."""
    for asked, field, why in (
        (
            request.store is False,
            "store",
            "a turn is stored; name no conversation, and the engine's model answers",
        ),
        (response_format(request.text) is not None, "text.format", "a turn answers in words"),
    ):
        if asked:
            raise Refused(422, f"{field} is not taken by {request.model} like that: {why}", field)


def _one_session(place: Place, named: NamedSession | None) -> NamedSession:
    """Raises Refused where the client names two."""
    if named is not None and named.session_id != place.session_id:
        raise Refused(
            422,
            f"the request names the session {named.session_id}, and its conversation is that of the session "
            f"{place.session_id}; name one of them",
            "session_id",
        )
    return NamedSession(place.session_id)
