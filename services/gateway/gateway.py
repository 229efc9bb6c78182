"""What the gateway does between HTTP and the bus: hands in, controls, finds a turn where it is now."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeVar

from services.gateway.domain.live_turn import status_of, view_of_events, view_of_unended
from services.gateway.domain.queue_views import QueueView, calls_waiting, view_of_queue
from services.gateway.domain.views import AcceptedTurn, NewTurn, TurnView, links_of, view_of_record
from services.gateway.intake import Intake
from services.gateway.lookup import number_of, unless_unknown
from services.gateway.ports import LiveTurns, Turns
from services.gateway.refusals import checked_size, no_such_turn
from services.gateway.sse import EventStream, OpenStreams, event_stream
from shared.errors import Refused, Transient
from shared.events import AnyLiveEvent, Event, Queued
from shared.replies import Control, Controlled, FindUnended, GetTurn, ListUnended, Request

log = logging.getLogger(__name__)
R = TypeVar("R")
_TURN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Gateway:
    """Knows nothing but how to ask."""

    def __init__(
        self,
        turns: Turns,
        live: LiveTurns,
        intake: Intake,
        *,
        input_limit_bytes: int,
        heartbeat_seconds: float,
    ) -> None:
        self._turns = turns
        self._live = live
        self._intake = intake
        self._input_limit = input_limit_bytes
        self._heartbeat = heartbeat_seconds
        self._streams = OpenStreams()

    def stop(self) -> None:
        """From here on no turn is taken, and every reader of events is sent elsewhere."""
        self._streams.stop()

    async def ask(self, request: Request[R], timeout_seconds: float | None = None) -> R:
        return await self._turns.ask(request, timeout_seconds)

    async def publish(self, event: Event) -> None:
        await self._turns.publish(event)

    @staticmethod
    def checked_id(turn_id: str) -> str:
        if not _TURN_ID.fullmatch(turn_id):
            raise no_such_turn(turn_id)
        return turn_id

    # --- handing in ---

    async def accept(self, new: NewTurn, user: str, key: str | None) -> AcceptedTurn:
        self._check_open()
        turn, number = await self._intake.accept(new, user, key)
        return AcceptedTurn(
            id=turn.turn_id,
            turn_number=number,
            session_id=turn.session_id,
            status="queued",
            links=links_of(turn.turn_id),
        )

    async def accept_and_stream(self, new: NewTurn, user: str, key: str | None) -> EventStream:
        """The first byte means: stored."""
        self._check_open()
        async with AsyncExitStack() as stack:
            opened = await self._intake.open(new, user, key, stack)
            # From here on the stream owns the subscription, and ends it when the reader leaves.
            kept = stack.pop_all()
        events = event_stream(_kept(kept, opened.reader), self._heartbeat, opened.first)
        on_left = partial(self._cancel_left, opened.turn.turn_id, user)
        return EventStream(events, self._streams, on_left if new.on_disconnect == "cancel" else None)

    def _check_open(self) -> None:
        if self._streams.are_stopping:
            raise Refused(503, "this gateway is stopping; send the same request again in a moment")

    # --- controlling ---

    async def control(self, control: Control) -> Controlled:
        """Raises Refused: 404 where the user has no such turn, 409 where steering comes too late."""
        if control.action == "steer":
            checked_size(control.text, self._input_limit, "text")
        return await self.ask(control)

    async def _cancel_left(self, turn_id: str, user: str) -> None:
        try:
            await self.control(Control(user=user, turn_id=turn_id, action="cancel"))
        except (Refused, Transient) as error:
            log.warning("turn %s goes on, though its reader left: %s", turn_id, error)

    # --- looking ---

    async def turn(self, turn_id: str, user: str) -> TurnView:
        """From its documents where it has ended, else from what the orchestrator and its live events say."""
        find_record = partial(self.ask, GetTurn(user=user, turn_id=self.checked_id(turn_id)))
        if (record := await unless_unknown(find_record)) is not None:
            return view_of_record(record)
        unended = await unless_unknown(partial(self.ask, FindUnended(user=user, turn_id=turn_id)))
        events = await self._live.events(turn_id)
        if unended is None and not _are_owned(events, user):
            raise no_such_turn(turn_id)
        has_ended = bool(events) and status_of(events) not in ("queued", "running")
        # Where it ended between the two looks, its documents are there by now.
        if (unended is None or has_ended) and (record := await unless_unknown(find_record)) is not None:
            return view_of_record(record)
        return view_of_events(events) if unended is None else view_of_unended(unended, events)

    async def queue(self, asked: ListUnended) -> QueueView:
        """Which calls wait is only in the live events of a turn."""
        reply = await self.ask(asked)
        waiting = [turn.turn_id for turn in reply.turns if turn.status == "waiting"]
        return view_of_queue(reply, {one: calls_waiting(await self._live.events(one)) for one in waiting})

    async def stream(self, turn_id: str, user: str, after: int) -> EventStream:
        """Every event after `after`: live ones as long as they are kept, then from the turn's record."""
        owner = await self._live.owner(self.checked_id(turn_id))
        if owner is None and await number_of(self._turns, turn_id, user) is not None:
            owner = user
        if owner != user:
            raise no_such_turn(turn_id)
        follow = self._live.follow(turn_id, user, after=after, from_the_start=False)
        return EventStream(event_stream(follow, self._heartbeat), self._streams)


@asynccontextmanager
async def _kept(stack: AsyncExitStack, value: R) -> AsyncIterator[R]:
    async with stack:
        yield value


def _are_owned(events: list[AnyLiveEvent], user: str) -> bool:
    """A stranger's turn is answered like one that does not exist."""
    return any(isinstance(event, Queued) and event.user == user for event in events)
