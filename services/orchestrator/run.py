"""One run of one turn: phases, checkpoints, attempts, and its one outcome."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import msgspec

from services.orchestrator.approvals import Approvals
from services.orchestrator.archive import read_record
from services.orchestrator.domain.approval import Approval
from services.orchestrator.domain.documents import EVENTS, events_in
from services.orchestrator.domain.endings import outcome_of
from services.orchestrator.domain.flow import hears_next, is_rejected, next_phase
from services.orchestrator.domain.recipes import PhaseName
from services.orchestrator.domain.turn import Turn
from services.orchestrator.lease import TurnLease
from services.orchestrator.phases.ahead import Ahead
from services.orchestrator.phases.deps import Deps
from services.orchestrator.phases.save import write_down
from services.orchestrator.ports import Held, LeaseLost, Leases, Outcomes, SessionRecipes
from services.orchestrator.sessions import choose_recipe
from services.orchestrator.steering import Steering
from services.orchestrator.steps import Steps, TimeLimits, certainly
from services.orchestrator.stopping import Stopping
from shared import metrics
from shared.errors import Refused, Transient
from shared.events import TurnRequested, decode_live
from shared.replies import TurnRecord

log = logging.getLogger(__name__)
replaced = msgspec.structs.replace
MOST_FAILURES = 8
"""What is away so often is given up."""
MOST_ATTEMPTS = 30
"""Processes that may have died over a turn; each hand-back counts as well."""
_LONGEST_PAUSE_SECONDS = 30.0
_CHECKPOINT_SECONDS = 0.1


class TurnRun:
    """Runs a turn whose lease this process holds. The lease is written at each step: who lost it stops."""

    def __init__(
        self,
        turn: Turn,
        held: Held,
        deps: Deps,
        recipes: SessionRecipes,
        leases: Leases,
        outcomes: Outcomes,
        limits: TimeLimits,
        *,
        has_waited: bool,
    ) -> None:
        self.stopping = Stopping()
        self.record: TurnRecord | None = None
        self.ended = asyncio.Event()
        self.approvals = Approvals(turn.approval, deps.clock, self._keep_approval)
        self._steering = Steering(turn.steering)
        self._deps = replace(
            deps,
            stopping=self.stopping,
            ahead=Ahead(),
            approvals=self.approvals,
            steering=self._steering,
        )
        self._steps = Steps(turn, self._deps, limits)
        self._session_recipes = recipes
        self._lease = TurnLease(held, leases)
        self._outcomes = outcomes
        self._has_waited = has_waited
        self._checkpoint: asyncio.Task[None] | None = None
        self._is_ending = False

    @property
    def held(self) -> Held:
        return self._lease.held

    @property
    def turn(self) -> Turn:
        return self._steps.turn

    @turn.setter
    def turn(self, turn: Turn) -> None:
        self._steps.turn = turn

    @property
    def phase(self) -> PhaseName | None:
        return self._steps.phase

    async def run(self) -> None:
        """Returns when the lease is given back or lost. `record` says how the turn ended, if it did."""
        try:
            self.record = await self._to_its_end()
            if self.record is None:
                await self.give_back()
            else:
                await self._tell(self.record)
                await self._lease.free(self.turn, self.record)
        except LeaseLost as lost:
            metrics.turns_fenced.inc()
            log.warning("turn %d: %s", self.turn.turn_number, lost)
        finally:
            if self._checkpoint is not None:
                self._checkpoint.cancel()
            self._deps.ahead.drop()
            self.ended.set()

    # --- what others may do to it ---

    async def cancel(self) -> bool:
        """False where the turn had come to its end before; returns when that is certain, and kept."""
        if self.is_committing or not self.stopping.tell("cancelled"):
            if self.stopping.why in ("cancelled", "interrupted", "replaced"):
                return True
            await self.ended.wait()
            return self.record is not None and self.record.status == "cancelled"
        self.turn = replaced(self.turn, stopped="cancelled")
        await self._save(self.turn)
        return True

    async def steer(self, text: str) -> PhaseName | None:
        """The first phase that knows of the text, once it is kept; None where it comes too late."""
        if self.stopping.why is not None or self.turn.chosen is None:
            return None
        takes_effect = hears_next(self.turn, self.phase)
        if takes_effect is None or not self._steering.add(text):
            return None
        await self._save(self.turn)
        return takes_effect

    async def _keep_approval(self, approval: Approval) -> None:
        self.turn = replaced(self.turn, approval=approval)
        await self._save(self.turn)

    @property
    def is_waiting(self) -> bool:
        """For a person, and nothing else keeps it: what it was asked to stop for, it does."""
        return self.phase == "coordinate" and self.stopping.why is None and self.approvals.is_waiting

    @property
    def only_waits(self) -> bool:
        """No tool is at work beside: whoever takes the turn over does nothing twice."""
        return self.is_waiting and self.approvals.only_waits

    @property
    def is_committing(self) -> bool:
        """It is being written down: too late for anything."""
        return self.phase == "save" or self._is_ending or self.record is not None

    # --- from its beginning to its end ---

    async def _to_its_end(self) -> TurnRecord | None:
        """The record, or None where this process has to hand the turn back."""
        documents = self._deps.documents
        if (record := await read_record(documents, self.turn.turn_id)) is not None:
            return record  # Taken over after its folder was written: only its end is still to be told.
        while True:
            try:
                await self._begin()
                if self.turn.attempt > MOST_ATTEMPTS:
                    return await self._fail("unavailable", f"given up after {MOST_ATTEMPTS} attempts")
                if self.turn.chosen is None:
                    known = ", ".join(self._deps.recipes.names())
                    name = self.turn.request.recipe
                    return await self._fail("unknown_recipe", f"{name!r}; known are: {known}")
                return await self._attempt()
            except Transient as error:
                if self.turn.failures >= MOST_FAILURES - 1:
                    return await certainly(self._fail, "unavailable", str(error))
                await self._pause(error)
            except (LeaseLost, asyncio.CancelledError):
                raise
            except Exception as error:
                metrics.errors.labels("turn").inc()
                log.exception("turn %d failed", self.turn.turn_number)
                if self.turn.failures >= MOST_FAILURES - 1:
                    return await certainly(self._fail, "internal", repr(error))
                await self._pause(Transient(repr(error)))

    async def _begin(self) -> None:
        """Its recipe, then its first word: whoever has heard that may steer it. Raises Transient."""
        try:
            await self._choose_recipe()
        except Transient:
            await self._steps.begin(has_waited=self._has_waited)
            raise
        await self._steps.begin(has_waited=self._has_waited)

    async def _choose_recipe(self) -> None:
        """Once: the turn keeps what it begins with."""
        if self.turn.chosen is None:
            choice = await choose_recipe(self.turn.request, self._deps.recipes, self._session_recipes)
            self.turn = replaced(self.turn, chosen=choice.chosen, notes=[*self.turn.notes, *choice.notes])

    async def _attempt(self) -> TurnRecord | None:
        if self.turn.stopped is not None:  # Whoever had the turn before was told so.
            self.stopping.tell(self.turn.stopped)
        name: PhaseName | None = None
        while name != "save" and (name := next_phase(self.turn)) is not None:
            if is_rejected(self.turn):
                return await certainly(self._fail, "not_approved", "; ".join(self.turn.verdicts[-1].reasons))
            if name == "save":
                await self._save(self.turn)  # Only whoever still holds the lease may write the folder.
            if self.stopping.why is not None or self.turn.finish_reason == "abort":
                break
            try:
                await self._steps.run(name)
                if self.stopping.why is None:
                    await self._checkpoint_behind(name)
            except Refused as refusal:
                return await certainly(self._fail, "refused", refusal.detail)
        if self.turn.finish_reason == "abort":  # Also where somebody told the engine itself.
            self.stopping.tell("cancelled")
        match self.stopping.why:
            case None:
                return await self._committed()
            case "handed_back":
                return None
            case "timeout":
                return await certainly(self._fail, "timeout", self._steps.what_took_too_long())
            case why:
                self.turn = replaced(self.turn, stopped=why)
                return await certainly(self._cancel)

    # --- again ---

    async def _pause(self, error: Transient) -> None:
        """Before the next attempt, which begins where the last checkpoint was made."""
        failures = self.turn.failures + 1
        seconds = min(error.retry_in * 2 ** (failures - 1), _LONGEST_PAUSE_SECONDS)
        log.warning("turn %d again in %g s: %s", self.turn.turn_number, seconds, error)
        self.turn = replaced(
            self.turn,
            attempt=self.turn.attempt + 1,
            failures=failures,
            output=self._steps.answer,
        )
        await self._save(self.turn)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    # --- endings ---

    async def _committed(self) -> TurnRecord:
        if self.turn.record is not None:
            return self.turn.record
        record = await read_record(self._deps.documents, self.turn.turn_id)
        if record is None:
            raise RuntimeError(f"recipe {self.turn.request.recipe} did not save turn {self.turn.turn_number}")
        return record

    async def _fail(self, reason: str, detail: str) -> TurnRecord:
        self._is_ending = True
        log.warning("turn %d failed: %s: %s", self.turn.turn_number, reason, detail)
        await self._save(self.turn)
        self.turn = await write_down(self.turn, "failed", self._deps, error=f"{reason}: {detail}")
        return await self._committed()

    async def _cancel(self) -> TurnRecord:
        """What was generated is kept, and the turn is never `turn.saved`."""
        await self._save(self.turn)
        self.turn = await write_down(self.turn, "cancelled", self._deps)
        return await self._committed()

    async def _tell(self, record: TurnRecord) -> None:
        """Tells of the end, to the readers and to everybody; again, where it was told before."""
        events = self.turn.events
        if self.turn.record is None:
            document = await certainly(self._deps.documents.read, record.turn_id, EVENTS)
            events = [decode_live(bytes(raw)) for raw in events_in(document or "")]
        for event in events[-2:]:  # The end of the last phase and of the turn; readers take an index once.
            await certainly(self._deps.announcements.emit, record.turn_id, event)
        steps: list[Awaitable[Any]] = [
            certainly(self._outcomes.leave_queue, self.turn.turn_number),
        ]
        if record.turn_number == self.turn.turn_number:  # Not where an old turn was asked for again.
            steps.append(certainly(self._outcomes.publish, outcome_of(record)))
            self._count(record)
        elif not is_same(self.turn.request, record):
            steps.append(certainly(self._outcomes.refuse, self.turn.turn_number, self.turn.request))
        await asyncio.gather(*steps)

    def _count(self, record: TurnRecord) -> None:
        if self.turn.record is not None:
            metrics.turns.labels(record.status).inc()
            seconds = (self._deps.clock() - self.turn.started_at).total_seconds()
            metrics.turn_seconds.labels(record.status).observe(seconds)
            if record.status == "saved" or record.why_cancelled != "replaced":
                self._deps.recent.add(record)

    # --- checkpoints ---

    async def _save(self, turn: Turn) -> None:
        if self.stopping.why in ("cancelled", "interrupted", "replaced"):
            turn = replaced(turn, stopped=self.stopping.why)
        turn = replaced(turn, steering=list(self._steering.texts))
        await self._lease.save(turn)

    async def _checkpoint_behind(self, name: PhaseName) -> None:
        if name == "coordinate":  # What tools have done should not be done again.
            await self._save(self.turn)
        elif next_phase(self.turn) != "save":
            self._save_aside()

    def _save_aside(self) -> None:
        """While the next phase runs: the lock keeps the order, and the next save would fail as well.

        A moment later, since the phases of a fast turn are over before a checkpoint between them is of use.
        """
        turn = self.turn

        async def save() -> None:
            await asyncio.sleep(_CHECKPOINT_SECONDS)
            if len(self.turn.phases) == len(turn.phases):
                await self._save(self.turn)

        if self._checkpoint is not None:
            self._checkpoint.cancel()
        self._checkpoint = asyncio.create_task(save())
        self._checkpoint.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def give_back(self) -> None:
        """For anybody to go on with, at once, as the next attempt. Raises LeaseLost."""
        texts = list(self._steering.texts)
        await self._lease.hand_back(replaced(self.turn, steering=texts, output=self._steps.answer))


def is_same(request: TurnRequested, record: TurnRecord) -> bool:
    """The same turn asked for again, and not another one under its id."""
    return (request.user, request.session_id, request.input) == (
        record.user,
        record.session_id,
        record.input,
    )
