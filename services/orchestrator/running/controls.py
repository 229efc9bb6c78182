"""Cancels and steers turns that have not ended, and answers their tool calls that wait for a person."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from services.orchestrator.running.claimed import QueuedTurn
from services.orchestrator.running.current_turns import LOOK_SECONDS, LOOKS, CurrentTurns, no_turn
from services.orchestrator.running.dispatcher import Dispatcher
from services.orchestrator.running.run import TurnRun
from services.orchestrator.running.unclaimed import UnclaimedTurns
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Control, ControlHere, Controlled, TurnRecord, TurnStatus

_NOT_RUNNING = {
    True: "the turn does not run yet; say it in a turn of the same session, or cancel this one",
    False: "the turn does not run yet; no tool call waits for an answer",
}
AskHolder = Callable[[str, Control], Awaitable[Controlled]]
"""Asks the process that holds a turn; raises Transient where it does not answer."""


class Controls:
    def __init__(
        self,
        dispatcher: Dispatcher,
        turns: CurrentTurns,
        documents: Documents,
        unclaimed: UnclaimedTurns,
        ask_holder: AskHolder,
    ) -> None:
        self._dispatcher = dispatcher
        self._queue = dispatcher.queue
        self._turns = turns
        self._documents = documents
        self._unclaimed = unclaimed
        self._ask_holder = ask_holder

    @endpoint
    async def control(self, request: Control) -> Controlled:
        """Any process may be asked: it passes on what another one holds."""
        if request.action == "steer" and not request.text.strip():
            raise Refused(422, "text is empty; say what to add to the turn", "text")
        looks = LOOKS
        while True:
            if (run := self._dispatcher.run_of(request.turn_id)) is not None:
                if run.turn.request.user != request.user:
                    raise no_turn(request.turn_id)
                try:
                    return await _control(run, request)
                except Transient:
                    if not (looks := looks - 1):
                        raise
                    await asyncio.sleep(LOOK_SECONDS)  # It ends, or leaves, at this very moment.
                    continue
            turn = await self._turn_of(request)
            if isinstance(turn, TurnRecord):
                return _had_ended(request, turn)
            holder = self._queue.holder_of(turn)
            if holder is not None and holder != self._queue.own:
                try:
                    return await self._ask_holder(holder, request)
                except Transient:
                    pass  # It is gone: no process runs the turn.
            elif holder is not None:
                await asyncio.sleep(LOOK_SECONDS)  # Taken here at this very moment.
                continue
            return await self._control_unclaimed(request, turn)

    async def control_here(self, request: ControlHere) -> Controlled:
        """For a turn that this process runs. Raises Transient where it does not."""
        control = request.control
        run = self._dispatcher.run_of(control.turn_id)
        if run is None or run.turn.request.user != control.user:
            raise Transient(f"turn {control.turn_id} is not run here")
        return await _control(run, control)

    async def _turn_of(self, request: Control) -> QueuedTurn | TurnRecord:
        """Raises Refused (404) where the user has no such turn."""
        async for _ in self._turns.looks():
            turn = self._queue.find(request.turn_id)
            if turn is not None and turn.request.user == request.user:
                return turn
            record = await read_record(self._documents, request.turn_id)
            if record is not None and record.user == request.user:
                return record
            if turn is not None or record is not None:
                break
        raise no_turn(request.turn_id)

    async def _control_unclaimed(self, request: Control, waiting: QueuedTurn) -> Controlled:
        if request.action != "cancel":
            raise Refused(409, _NOT_RUNNING[request.action == "steer"])
        was_running = self._queue.status_of(waiting) != "queued"
        saved = await self._turns.turn_of(waiting.session) if was_running else None
        if saved is not None and saved.turn_id != request.turn_id:
            saved = None
        record = await self._unclaimed.cancel(waiting, saved)
        self._queue.see_end(waiting.number)
        if (run := self._dispatcher.run_of(request.turn_id)) is not None:
            with contextlib.suppress(Transient):
                await run.cancel()  # It was taken at this very moment. The folder says already that it ended.
        found: TurnStatus = "running" if was_running else "queued"
        is_cancelled = record.status == "cancelled"
        return Controlled(
            turn_id=request.turn_id, found=found if is_cancelled else record.status, done=is_cancelled
        )


async def _control(run: TurnRun, request: Control) -> Controlled:
    """Raises Transient where the turn leaves this process meanwhile."""
    match request.action:
        case "cancel":
            return await run.cancel()
        case "steer":
            return await run.steer(request.text)
        case "approve" | "deny":
            return await run.decide(request.call, request.action == "approve")
        case "result":
            return await run.decide(request.call, request.text)


def _had_ended(request: Control, record: TurnRecord) -> Controlled:
    if request.action == "steer":
        raise Refused(409, f"the turn has ended ({record.status}); say it in a new turn of the session")
    if request.action != "cancel":
        raise Refused(409, f"the turn has ended ({record.status}); no tool call waits any more")
    return Controlled(turn_id=request.turn_id, found=record.status, done=record.status == "cancelled")
