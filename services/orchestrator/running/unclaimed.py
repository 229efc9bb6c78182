"""Ends turns that no process runs: cancelled while they wait, or refused because their session is busy."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from services.orchestrator.documents.reading import read_record
from services.orchestrator.phases.asking import request_id_of
from services.orchestrator.phases.deps import Deps
from services.orchestrator.phases.save import write_down
from services.orchestrator.running.certainly import certainly
from services.orchestrator.running.claimed import QueuedTurn
from services.orchestrator.running.ports import Announcements, Outcomes
from services.orchestrator.turn.endings import outcome_of
from services.orchestrator.turn.found import WrittenDown
from services.orchestrator.turn.live_events import queued
from services.orchestrator.turn.state import Turn, new_turn
from shared.contract.errors import Transient
from shared.contract.events import output_of
from shared.contract.requests import TurnRecord
from shared.process import metrics


class UnclaimedTurns:
    """The process that writes the folder first says how the turn ended, with a lease or without."""

    def __init__(self, deps: Deps, announcements: Announcements, outcomes: Outcomes) -> None:
        self._deps = deps
        self._announcements = announcements
        self._outcomes = outcomes
        self._tasks: set[asyncio.Task[None]] = set()

    async def cancel(self, queued: QueuedTurn, saved: Turn | None) -> TurnRecord:
        """`saved`: as a process left it that ran it. Raises Transient; then nothing is promised."""
        turn = saved or self._turn_of(queued)
        if turn.phases:  # An engine may still be at work for a process that died.
            await self._deps.model.abort(request_id_of(turn))
        # A later attempt makes void what a process says of it that takes the turn at this very moment.
        turn = msgspec.structs.replace(turn, stopped="cancelled", attempt=turn.attempt + 1)
        turn = await self._with_all_events(turn)
        return await self._end(turn, await write_down(turn, "cancelled", self._deps))

    def reject_soon(self, queued: QueuedTurn, running_id: str) -> None:
        """Where this process dies before, the turn is claimed later and runs."""
        error = f"session_busy: turn {running_id} runs in this session, and if_busy is reject"

        async def reject() -> None:
            turn = await self._with_all_events(self._turn_of(queued))
            await self._end(turn, await write_down(turn, "failed", self._deps, error=error))

        self._do_soon(reject)

    def drop_soon(self, queued: QueuedTurn, first: QueuedTurn) -> None:
        """Its turn is in the queue already, under the number of `first`."""

        async def drop() -> None:
            if first.request != queued.request:
                await self._outcomes.refuse(queued.number, queued.request)
            await self._outcomes.leave_queue(queued.number)

        self._do_soon(drop)

    def _do_soon(self, step: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(certainly(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _turn_of(self, queued: QueuedTurn) -> Turn:
        return new_turn(queued.request, queued.number, queued.requested_at, self._deps.clock())

    async def _with_all_events(self, turn: Turn) -> Turn:
        """One more turn.queued after all that was sent takes the index that another process could send at."""
        events = await self._announcements.join(turn.turn_id, turn.events, lambda sent: queued(turn, sent))
        return msgspec.structs.replace(turn, events=events, output=output_of(events))

    async def _end(self, turn: Turn, written: WrittenDown) -> TurnRecord:
        record = written.record or await read_record(self._deps.documents, turn.turn_id)
        if record is None:
            raise Transient(f"the folder of turn {turn.turn_number} cannot be read now")
        if written.record is not None:
            metrics.turns.labels(record.status).inc()
            await self._announcements.emit(turn.turn_id, written.events[-1])
        await self._outcomes.publish(outcome_of(record))
        await self._outcomes.leave_queue(turn.turn_number)
        return record
