"""What the commands of a turn do outside of it. Each returns the signal that its command promises."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, assert_never

import msgspec

from services.orchestrator.documents.reading import read_record
from services.orchestrator.documents.rendering import EVENTS, events_in
from services.orchestrator.phases.asking import request_id_of
from services.orchestrator.phases.deps import Deps
from services.orchestrator.phases.save import write_down
from services.orchestrator.recipes.ports import RecipeOfSession
from services.orchestrator.recipes.sessions import choose_recipe
from services.orchestrator.running.certainly import certainly
from services.orchestrator.running.checkpoints import Checkpoints
from services.orchestrator.running.failures import failure_of
from services.orchestrator.running.ports import Announcements, MakeEvent, Outcomes
from services.orchestrator.turn.commands import (
    Announce,
    Begin,
    ChooseRecipe,
    Effect,
    FindRecord,
    FreeLease,
    HandBack,
    Rejoin,
    SaveCheckpoint,
    TellEnd,
    WriteFolder,
)
from services.orchestrator.turn.endings import outcome_of
from services.orchestrator.turn.live_events import queued
from services.orchestrator.turn.signals import (
    Announced,
    Begun,
    CheckpointWritten,
    EndTold,
    Failed,
    FolderWritten,
    LeaseGivenUp,
    RecipeChosen,
    RecordFound,
    Rejoined,
    Signal,
)
from services.orchestrator.turn.state import Turn
from shared.contract.events import (
    AnyLiveEvent,
    OutputDelta,
    OutputRestarted,
    PhaseEnded,
    TurnRequested,
    decode_live,
)
from shared.contract.requests import TurnRecord
from shared.process import metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Effects:
    """Of one run of a turn."""

    deps: Deps
    announcements: Announcements
    session_recipes: RecipeOfSession
    outcomes: Outcomes
    checkpoints: Checkpoints

    async def perform(self, command: Effect) -> Signal:
        """Waits for what is away. Raises LeaseLost, and unexpected errors."""
        match command:
            case FindRecord():
                return RecordFound(await certainly(read_record, self.deps.documents, command.turn_id))
            case ChooseRecipe():
                return await self._choose_recipe(command)
            case Begin():
                return await self._begin(command)
            case Announce():
                return await self._announce(command)
            case Rejoin():
                return await self._rejoin(command)
            case SaveCheckpoint():
                write = self.checkpoints.fence if command.is_fence else self.checkpoints.save
                await write(command.turn)
                return CheckpointWritten(command.number)
            case WriteFolder():
                return await self._write_folder(command)
            case TellEnd():
                return await self._tell_end(command)
            case FreeLease():
                await self.checkpoints.free(command.record, command.history_from)
                return LeaseGivenUp()
            case HandBack():
                await self.checkpoints.hand_back(command.turn)
                return LeaseGivenUp()
            case _:
                assert_never(command)

    # --- beginning ---

    async def _choose_recipe(self, command: ChooseRecipe) -> RecipeChosen | Failed:
        recipes = self.deps.recipes
        try:
            choice = await choose_recipe(command.request, recipes, self.session_recipes)
        except Exception as error:
            return Failed(failure_of(error, f"the choice of a recipe for turn {command.request.turn_id}"))
        return RecipeChosen(choice.chosen, choice.notes, recipes.names())

    async def _begin(self, command: Begin) -> Begun:
        turn = command.turn
        if turn.attempt > 1:
            # The engine may still be at work for the process that had the turn before.
            earlier = msgspec.structs.replace(turn, attempt=turn.attempt - 1)
            await self.deps.model.abort(request_id_of(earlier))
            events = await self._join(
                turn, lambda sent: OutputRestarted(index=len(sent), attempt=turn.attempt)
            )
        elif command.has_waited:
            events = await self._join(turn, lambda sent: queued(turn, sent))
        else:
            events = [queued(turn, [])]
            await self._emit(turn.turn_id, events[0])
        if command.said_again is not None:
            again = OutputDelta(index=len(events), attempt=turn.attempt, text=command.said_again)
            await self._emit(turn.turn_id, again)
            events = [*events, again]
        return Begun(events)

    # --- live events ---

    async def _emit(self, turn_id: str, event: AnyLiveEvent) -> None:
        await certainly(self.announcements.emit, turn_id, event)

    async def _join(self, turn: Turn, make: MakeEvent) -> list[AnyLiveEvent]:
        return await certainly(self.announcements.join, turn.turn_id, turn.events, make)

    async def _announce(self, command: Announce) -> Announced:
        for event in command.events:
            await self._emit(command.turn_id, event)
        return Announced(command.events)

    async def _rejoin(self, command: Rejoin) -> Rejoined:
        attempt, phase, seconds = command.turn.attempt, command.phase, command.seconds
        return Rejoined(
            await self._join(
                command.turn,
                lambda sent: PhaseEnded(index=len(sent), attempt=attempt, phase=phase, seconds=seconds),
            )
        )

    # --- ending ---

    async def _write_folder(self, command: WriteFolder) -> FolderWritten:
        turn, status, error = command.turn, command.status, command.error
        if status == "failed":
            log.warning("turn %d failed: %s", turn.turn_number, error)
        return FolderWritten(await certainly(write_down, turn, status, self.deps, error=error))

    async def _tell_end(self, command: TellEnd) -> EndTold:
        """Again, where it was told before."""
        turn, record = command.turn, command.record
        for event in await self._last_events(turn, record):
            await self._emit(record.turn_id, event)
        steps: list[Awaitable[Any]] = [certainly(self.outcomes.leave_queue, turn.turn_number)]
        if record.turn_number == turn.turn_number:  # Not where an old turn was asked for again.
            steps.append(certainly(self.outcomes.publish, outcome_of(record)))
            self._count(turn, record)
        elif not is_same(turn.request, record):
            steps.append(certainly(self.outcomes.refuse, turn.turn_number, turn.request))
        await asyncio.gather(*steps)
        return EndTold()

    async def _last_events(self, turn: Turn, record: TurnRecord) -> list[AnyLiveEvent]:
        """The end of the turn; where another process wrote its folder, also the event before it.

        Readers take each index once.
        """
        if turn.record is not None:
            return turn.events[-1:]
        document = await certainly(self.deps.documents.read, record.turn_id, EVENTS)
        return [decode_live(bytes(raw)) for raw in events_in(document or "")][-2:]

    def _count(self, turn: Turn, record: TurnRecord) -> None:
        if turn.record is not None:
            metrics.turns.labels(record.status).inc()
            seconds = (self.deps.clock() - turn.started_at).total_seconds()
            metrics.turn_seconds.labels(record.status).observe(seconds)
            if record.status == "saved" or record.why_cancelled != "replaced":
                self.deps.recent.add(record)


def is_same(request: TurnRequested, record: TurnRecord) -> bool:
    """The same turn asked for again, and not another one under its id."""
    return (request.user, request.session_id, request.input) == (
        record.user,
        record.session_id,
        record.input,
    )
