"""A chat completion by a turn: accepted once, followed to its end."""

from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import suppress
from time import time

from services.gateway.live.ports import Reader
from services.gateway.live.sse import HEARTBEAT, EventStream, OpenStreams
from services.gateway.openai.answers import Spoken, outcome_of, read_events
from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.client_tools import Answered, CallsWaiting, answered_in
from services.gateway.openai.completions import DONE, FAREWELL, Completion, Head, event
from services.gateway.openai.conversations import Claim, Conversations
from services.gateway.openai.errors import error_body
from services.gateway.openai.models import TurnRecipe
from services.gateway.openai.session_names import NamedSession
from services.gateway.openai.turn_request import check_for_turn, new_turn
from services.gateway.turns.control import Controls
from services.gateway.turns.intake import Followed, Intake
from shared.contract.errors import Refused, Transient
from shared.contract.events import AnyLiveEvent, Cancelled, Failed, Saved, Usage
from shared.contract.requests import ToolCall


class Accepted:
    """A stored turn that answers a chat."""

    def __init__(
        self, claim: Claim, followed: Followed, *, is_held: bool, answered: Collection[str] = ()
    ) -> None:
        """`answered`: the keys of the calls whose results this chat brings."""
        self.claim = claim
        self.is_held = is_held or claim.is_repeat
        """Nothing of the answer is sent before it is saved: what was said until then may be void."""
        self.followed = followed
        self.is_decided = False
        """It is known what the client is answered, whatever that is."""
        self.calls = CallsWaiting(followed.accepted.id, answered)
        self.number = followed.accepted.turn_number
        self.headers = {
            "x-pandora-session": followed.accepted.session_id,
            "x-pandora-turn": followed.accepted.id,
        }
        self.head = Head(
            id=f"chatcmpl-{followed.accepted.id}",
            created=int(time()),
            model=claim.request.model,
            with_usage=claim.request.wants_usage,
        )


class TurnChats:
    def __init__(
        self, intake: Intake, controls: Controls, conversations: Conversations, streams: OpenStreams
    ) -> None:
        self._intake = intake
        self._controls = controls
        self._conversations = conversations
        self._streams = streams

    async def accept(
        self, chat: ChatRequest, recipe: TurnRecipe, user: str, named: NamedSession | None, *, again: bool
    ) -> Accepted:
        """Returns when the turn is stored. `again` as in `Conversations.claim`. Raises Refused.

        A chat with the results of its own tools is answered by the turn that waits for them.
        """
        check_for_turn(chat, takes_tools=recipe.takes_tools)
        if (answered := answered_in(chat)) is not None:
            return await self._go_on(chat, recipe, user, named, answered)
        claim = await self._conversations.claim(chat, user, named, again=again)
        turn = new_turn(chat, recipe.name, claim.chat.session_id, claim.chat.follows)
        followed = await self._intake.accept_and_follow(turn, user, claim.chat.key)
        return Accepted(claim, followed, is_held=recipe.is_unapproved)

    async def _go_on(
        self, chat: ChatRequest, recipe: TurnRecipe, user: str, named: NamedSession | None, answered: Answered
    ) -> Accepted:
        for key, text in answered.results.items():
            try:
                await self._controls.result(answered.turn_id, user, key, text)
            except Refused as refused:
                if refused.status != 409:  # Told before: the client sends its request once more.
                    raise
        followed = await self._intake.resume(answered.turn_id, user, answered.after)
        claim = self._conversations.going_on(chat, user, named, followed.accepted.session_id)
        return Accepted(claim, followed, is_held=recipe.is_unapproved, answered=answered.results)

    async def completion(self, accepted: Accepted) -> Completion:
        """To be sent, and then `sent`. Raises Refused where the turn has no answer. Cancelled: it goes on."""
        try:
            async with accepted.followed.events as reader:
                async for events in self._events(reader):
                    if calls := _calls_in(accepted, events):
                        return accepted.head.completion("", Usage(), "tool_calls", calls)
                    if (saved := await self._outcome(accepted, events)) is not None:
                        return accepted.head.completion(saved.output, saved.usage, "stop")
            raise _lost(accepted)
        except Refused:
            await self.sent(accepted)
            raise

    async def sent(self, accepted: Accepted) -> None:
        """The client was sent all of it."""
        self._note_sent(accepted)

    def _note_sent(self, accepted: Accepted) -> None:
        if accepted.is_decided:
            self._conversations.sent(accepted.claim, accepted.number)

    def stream(self, accepted: Accepted) -> EventStream:
        return EventStream(self._chunks(accepted), self._streams, farewell=FAREWELL, headers=accepted.headers)

    async def _chunks(self, accepted: Accepted) -> AsyncGenerator[bytes, None]:
        yield accepted.head.begin()
        try:
            async with accepted.followed.events as reader:
                async for chunk in self._said(accepted, reader):
                    yield chunk
        except Refused as refused:
            yield event(error_body(refused.status, refused.detail, refused.field))
            self._note_sent(accepted)

    async def _said(self, accepted: Accepted, reader: Reader) -> AsyncGenerator[bytes, None]:
        head, spoken = accepted.head, Spoken(is_held=accepted.is_held)
        clock = get_running_loop().time
        said_at = clock()
        async for events in self._events(reader):
            text = "".join(map(spoken.news, events))
            if text or clock() - said_at >= self._streams.heartbeat_seconds:
                said_at = clock()
                yield head.text(text) if text else HEARTBEAT
            if calls := _calls_in(accepted, events):
                yield head.calls(calls) + head.end(Usage(), "tool_calls") + DONE
                self._note_sent(accepted)
                return
            # Before the last line: after it a client may go on at once, over any gateway.
            if (saved := await self._outcome(accepted, events)) is not None:
                yield head.end(saved.usage, "stop") + DONE
                self._note_sent(accepted)
                return
        raise _lost(accepted)

    async def _outcome(self, accepted: Accepted, events: Sequence[AnyLiveEvent]) -> Saved | None:
        """Returns the end of the turn where the events have it. Raises Refused where it has no answer."""
        accepted.is_decided = bool(events) and isinstance(events[-1], Saved | Failed | Cancelled)
        saved = outcome_of(events[-1]) if events else None
        if saved is not None:
            with suppress(Transient):  # Its session is found by the question then, or by a header.
                await self._conversations.answered(accepted.claim, accepted.number, saved.output)
        return saved

    async def _events(self, reader: Reader) -> AsyncGenerator[list[AnyLiveEvent], None]:
        """Yields what a chat shows of the turn's events as they come, at least once in each heartbeat."""
        while not reader.ended:
            yield read_events(await reader.read(self._streams.heartbeat_seconds))


def _calls_in(accepted: Accepted, events: Sequence[AnyLiveEvent]) -> list[ToolCall]:
    """Those that the client is to make now; empty where the turn needs none."""
    for one in events:
        if calls := accepted.calls.take(one):
            accepted.is_decided = True
            return calls
    return []


def _lost(accepted: Accepted) -> Refused:
    return Refused(
        500, f"turn {accepted.followed.accepted.id} has ended, and its answer is not stored any more"
    )
