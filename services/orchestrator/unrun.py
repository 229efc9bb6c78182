"""Ends turns that nobody runs: cancelled while they waited, or refused because their session is busy."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from services.orchestrator.archive import read_record
from services.orchestrator.domain.endings import outcome_of
from services.orchestrator.domain.queue import SessionKey, Waiting
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.asking import request_id_of
from services.orchestrator.phases.deps import Deps
from services.orchestrator.phases.save import write_down
from services.orchestrator.ports import Outcomes
from shared import metrics
from shared.errors import Transient
from shared.events import Queued, TurnRequested, output_of
from shared.replies import TurnRecord

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 1.0


class Unrun:
    """The folder decides: whoever writes it first says how the turn ended, with a lease or without."""

    def __init__(self, deps: Deps, outcomes: Outcomes) -> None:
        self._deps = deps
        self._outcomes = outcomes
        self._aside: set[asyncio.Task[None]] = set()

    def turn_from(self, waiting: Waiting) -> Turn:
        now = self._deps.clock()
        return Turn(
            request=waiting.request,
            turn_number=waiting.number,
            requested_at=waiting.requested_at,
            started_at=now,
            phase_started_at=now,
        )

    async def request_of(self, turn_id: str, session: SessionKey) -> TurnRequested | None:
        """Of a turn that has ended and left the queue, whose holder died before it could free its lease."""
        record = await read_record(self._deps.documents, turn_id)
        if record is None:
            return None
        user, session_id = session
        return TurnRequested(
            turn_id=turn_id, session_id=session_id, user=user, input=record.input, recipe=record.recipe
        )

    async def cancel(self, turn: Turn) -> TurnRecord:
        """Raises Transient where a store is away; then nothing is promised."""
        if turn.phases:  # An engine may still be at work for a process that died.
            await self._deps.model.abort(request_id_of(turn))
        # What anybody else who takes the turn at this very moment says of it is void beside a later attempt.
        turn = msgspec.structs.replace(turn, stopped="cancelled", attempt=turn.attempt + 1)
        turn = await self._all_that_was_sent(turn)
        return await self._end(await write_down(turn, "cancelled", self._deps))

    def reject_aside(self, waiting: Waiting, running_id: str) -> None:
        """Where this process dies before, the turn is claimed later and runs."""
        error = f"session_busy: turn {running_id} runs in this session, and if_busy is reject"

        async def reject() -> None:
            turn = await self._all_that_was_sent(self.turn_from(waiting))
            await self._end(await write_down(turn, "failed", self._deps, error=error))

        self._do_aside(waiting, reject)

    def drop_aside(self, waiting: Waiting, first: Waiting | None) -> None:
        """A request whose turn is in the queue already, under another number."""

        async def drop() -> None:
            if first is None or first.request != waiting.request:
                await self._outcomes.refuse(waiting.number, waiting.request)
            await self._outcomes.leave_queue(waiting.number)

        self._do_aside(waiting, drop)

    def _do_aside(self, waiting: Waiting, step: Callable[[], Awaitable[None]]) -> None:
        async def until_done() -> None:
            while True:
                try:
                    return await step()
                except Transient as away:
                    log.info("turn %d waits to be put aside: %s", waiting.number, away)
                    await asyncio.sleep(_PAUSE_SECONDS)

        task = asyncio.create_task(until_done())
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _all_that_was_sent(self, turn: Turn) -> Turn:
        """With one more turn.queued behind it, so that nobody else sends anything at that index."""
        request = turn.request
        events = await self._deps.announcements.join(
            turn.turn_id,
            turn.events,
            lambda sent: Queued(
                index=len(sent),
                attempt=turn.attempt,
                turn_id=turn.turn_id,
                turn_number=turn.turn_number,
                session_id=request.session_id,
                user=request.user,
            ),
        )
        return msgspec.structs.replace(turn, events=events, output=output_of(events))

    async def _end(self, turn: Turn) -> TurnRecord:
        record = turn.record or await read_record(self._deps.documents, turn.turn_id)
        if record is None:
            raise Transient(f"the folder of turn {turn.turn_number} cannot be read now")
        if turn.record is not None:
            metrics.turns.labels(record.status).inc()
            await self._deps.announcements.emit(turn.turn_id, turn.events[-1])
        await self._outcomes.publish(outcome_of(record))
        await self._outcomes.leave_queue(turn.turn_number)
        return record
