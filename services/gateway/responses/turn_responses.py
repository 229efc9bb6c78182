"""A response by a turn: accepted once, followed to its end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

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
    turn: AcceptedTurn
    head: Head

    @property
    def headers(self) -> dict[str, str]:
        return {"x-pandora-session": self.turn.session_id, "x-pandora-turn": self.turn.id}


class Read(Accepted, frozen=True, kw_only=True):
    """One whose client reads its events at once."""

    followed: Followed


class TurnResponses:
    def __init__(
        self, intake: Intake, conversations: Conversations, belonging: Belonging, streams: OpenStreams
    ) -> None:
        self._intake = intake
        self._conversations = conversations
        self._belonging = belonging
        self._streams = streams

    async def accept(self, asked: Sent, recipe: TurnRecipe) -> Read:
        """Returns when the turn is stored. Raises Refused."""
        claim, turn = await self._claimed(asked, recipe)
        followed = await self._intake.accept_and_follow(turn, asked.user, claim.chat.key)
        head = head_of(followed.accepted.id, turn.metadata)
        return Read(claim=claim, turn=followed.accepted, head=head, followed=followed)

    async def begin(self, asked: Sent, recipe: TurnRecipe) -> Accepted:
        """As `accept`, for a client that reads on by the response's id."""
        claim, turn = await self._claimed(asked, recipe)
        accepted = await self._intake.accept(turn, asked.user, claim.chat.key)
        return Accepted(claim=claim, turn=accepted, head=head_of(accepted.id, turn.metadata))

    async def sent(self, accepted: Accepted) -> None:
        """The client was sent all of it."""
        self._conversations.sent(accepted.claim, accepted.turn.turn_number)

    async def _claimed(self, asked: Sent, recipe: TurnRecipe) -> tuple[Claim, NewTurn]:
        request = asked.request
        check_for_turn(request)
        content = content_of(request)
        place = await self._belonging.place_of(request, asked.user)
        named = asked.session if place is None else _one_session(place, asked.session)
        metadata = with_echo(request.metadata, echo_of(request, is_held=recipe.is_unapproved))
        chat = ChatRequest(
            model=request.model,
            messages=conversation_in(request),
            stream=request.stream,
            metadata=metadata,
        )
        claim = await self._conversations.claim(chat, asked.user, named, again=asked.again)
        turn = NewTurn(
            input=content,
            session_id=claim.chat.session_id,
            recipe=recipe.name,
            metadata=metadata,
            follows=place.after if place is not None else claim.chat.follows,
        )
        return claim, turn

    async def response(self, accepted: Read) -> Response:
        """Returns the response at its end, to be sent, and then `sent`.

        Raises Refused where it failed. Cancelled: the turn goes on.
        """
        # Nothing is said before the end: an answer that begins anew is no matter.
        events = ResponseEvents(accepted.head, is_held=True)
        last: ResponseEvent | None = None
        async for made in self._followed(accepted, events):
            last = made[-1] if made else last
        match last:
            case Lifecycle(response=Response(error=None) as response):
                return response
            case Lifecycle(response=Response(error=error)) if error is not None:
                await self.sent(accepted)
                raise Refused(422 if error.code == "invalid_prompt" else 500, error.message)
            case ErrorEvent(message=message):
                raise Refused(500, message)
            case _:
                raise Refused(500, f"the response of turn {accepted.head.turn_id} has no end")

    def stream(self, accepted: Read) -> EventStream:
        events = self._streamed(accepted)
        return EventStream(as_bytes(events), self._streams, farewell=FAREWELL, headers=accepted.headers)

    async def _streamed(self, accepted: Read) -> AsyncGenerator[list[ResponseEvent], None]:
        events = ResponseEvents(accepted.head)
        async with aclosing(self._followed(accepted, events)) as parts:
            async for made in parts:
                yield made
                if events.has_ended:
                    await self.sent(accepted)

    async def _followed(
        self, accepted: Read, events: ResponseEvents
    ) -> AsyncGenerator[list[ResponseEvent], None]:
        async with accepted.followed.events as reader:
            async for made in following(events, reader, self._streams.heartbeat_seconds):
                if events.has_ended:  # Before its last event: after that a client may go on at once.
                    await self._note_answer(accepted, made[-1])
                yield made

    async def _note_answer(self, accepted: Read, last: ResponseEvent) -> None:
        match last:
            case Lifecycle(response=Response(status="completed", output=[message])):
                answer, number = message.content[0].text, accepted.turn.turn_number
                with suppress(Transient):
                    await self._conversations.answered(accepted.claim, number, answer)


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
