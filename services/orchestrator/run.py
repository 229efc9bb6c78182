"""One run of one turn: phases, checkpoints, attempts, and its one outcome."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import msgspec

from services.orchestrator.archive import read_record
from services.orchestrator.domain.documents import EVENTS, events_in
from services.orchestrator.domain.live import output_of
from services.orchestrator.domain.queue import Lease
from services.orchestrator.domain.recipes import RECIPES, PhaseName, Recipe
from services.orchestrator.domain.turn import PhaseRun, Turn, outcome_of
from services.orchestrator.phases.gather import gather
from services.orchestrator.phases.save import save, write_down
from services.orchestrator.phases.synthesis import request_id_of, synthesis
from services.orchestrator.phases.tools import Phase, Tools
from services.orchestrator.ports import Held, LeaseLost, Leases, Outcomes
from services.orchestrator.stopping import Stopping
from shared import metrics
from shared.errors import Refused, Transient
from shared.events import (
    OutputDelta,
    OutputRestarted,
    PhaseEnded,
    PhaseStarted,
    Queued,
    Steered,
    TurnRequested,
    Usage,
    decode_live,
)
from shared.replies import TurnRecord
from shared.tracing import tracer

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
replaced = msgspec.structs.replace
PHASES: dict[PhaseName, Phase] = {"gather": gather, "synthesis": synthesis, "save": save}
MOST_FAILURES = 8
"""What is away so often is given up."""
MOST_ATTEMPTS = 30
"""Processes that may have died over a turn; each hand-back counts as well."""
_LONGEST_PAUSE_SECONDS = 30.0
_ENDS_IN_GOOD_ORDER_SECONDS = 3.0
_SESSION_TURNS = 10
"""Ids of the session's last turns that travel with its lease."""


class TimeLimits(msgspec.Struct, frozen=True):
    """Seconds."""

    turn: float
    phases: dict[PhaseName, float]


class TurnRun:
    """Runs a turn whose lease this process holds. The lease is written at each step: who lost it stops."""

    def __init__(
        self,
        turn: Turn,
        held: Held,
        tools: Tools,
        leases: Leases,
        outcomes: Outcomes,
        limits: TimeLimits,
        *,
        has_waited: bool,
    ) -> None:
        self.turn = turn
        self.held = held
        self.phase: PhaseName | None = None
        self.stopping = Stopping()
        self.record: TurnRecord | None = None
        self.ended = asyncio.Event()
        self._tools = replace(tools, stopping=self.stopping)
        self._leases = leases
        self._outcomes = outcomes
        self._limits = limits
        self._has_waited = has_waited
        self._steering = list(turn.steering)
        self._writing = asyncio.Lock()
        self._checkpoint: asyncio.Task[None] | None = None
        self._too_long: PhaseName = "gather"

    async def run(self) -> None:
        """Returns when the lease is given back or lost. `record` says how the turn ended, if it did."""
        try:
            self.record = await self._to_its_end()
            if self.record is None:
                await self._give_back("handed_back", self.turn)
            else:
                await self._tell(self.record)
                await self._give_back("free", None)
        except LeaseLost as lost:
            metrics.leases_lost.inc()
            log.warning("turn %d: %s", self.turn.turn_number, lost)
        finally:
            if self._checkpoint is not None:
                self._checkpoint.cancel()
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
        recipe = RECIPES.get(self.turn.request.recipe)
        phases = recipe.phases[self.turn.next_phase :] if recipe else ()
        later = phases[1:] if self.phase is not None else phases
        if self.stopping.why is not None or "synthesis" not in later:
            return None
        self._steering.append(text)
        await self._save(replaced(self.turn, steering=list(self._steering)))
        return "synthesis"

    @property
    def is_committing(self) -> bool:
        """It is being written down: too late for anything."""
        return self.phase == "save" or self.record is not None

    # --- from its beginning to its end ---

    async def _to_its_end(self) -> TurnRecord | None:
        """The record, or None where this process has to hand the turn back."""
        documents = self._tools.documents
        if (record := await read_record(documents, self.turn.turn_id)) is not None:
            return record  # Taken over after its folder was written: only its end is still to be told.
        recipe = RECIPES.get(self.turn.request.recipe)
        while True:
            try:
                await self._begin()
                if self.turn.attempt > MOST_ATTEMPTS:
                    return await self._fail("unavailable", f"given up after {MOST_ATTEMPTS} attempts")
                if recipe is None:
                    known = ", ".join(RECIPES)
                    name = self.turn.request.recipe
                    return await self._fail("unknown_recipe", f"{name!r}; known are: {known}")
                return await self._attempt(recipe)
            except Transient as error:
                if self.turn.failures >= MOST_FAILURES - 1:
                    return await self._certainly(self._fail, "unavailable", str(error))
                await self._pause(error)
            except (LeaseLost, asyncio.CancelledError):
                raise
            except Exception as error:
                metrics.errors.labels("turn").inc()
                log.exception("turn %d failed", self.turn.turn_number)
                if self.turn.failures >= MOST_FAILURES - 1:
                    return await self._certainly(self._fail, "internal", repr(error))
                await self._pause(Transient(repr(error)))

    async def _begin(self) -> None:
        """The first event of this attempt, behind all that was sent before."""
        turn, tools = self.turn, self._tools
        if turn.attempt > 1:
            # The engine may still be at work for whoever had the turn before.
            earlier = replaced(turn, attempt=turn.attempt - 1)
            await tools.model.abort(request_id_of(earlier))
            events = await tools.announcements.join(
                turn.turn_id, turn.events, lambda index: OutputRestarted(index=index, attempt=turn.attempt)
            )
        elif self._has_waited:
            events = await tools.announcements.join(turn.turn_id, turn.events, self._queued)
        else:
            first = self._queued(0)
            await tools.announcements.emit(turn.turn_id, first)
            events = [first]
        self.turn = replaced(turn, events=events)
        if turn.attempt > 1 and turn.is_answered:  # The answer stays; only its readers begin anew.
            self.turn = await tools.announce(self.turn, OutputDelta, text=turn.output)

    def _queued(self, index: int) -> Queued:
        request = self.turn.request
        return Queued(
            index=index,
            turn_id=request.turn_id,
            turn_number=self.turn.turn_number,
            session_id=request.session_id,
            user=request.user,
        )

    async def _attempt(self, recipe: Recipe) -> TurnRecord | None:
        if self.turn.stopped is not None:  # Whoever had the turn before was told so.
            self.stopping.tell(self.turn.stopped)
        for name in recipe.phases[self.turn.next_phase :]:
            if name == "save":
                await self._save(self.turn)  # Only whoever still holds the lease may write the folder.
            if self.stopping.why is not None or self.turn.finish_reason == "abort":
                break
            try:
                await self._run_phase(name)
            except Refused as refusal:
                return await self._certainly(self._fail, "refused", refusal.detail)
        if self.turn.finish_reason == "abort":  # Also where somebody told the engine itself.
            self.stopping.tell("cancelled")
        match self.stopping.why:
            case None:
                return await self._committed()
            case "handed_back":
                return None
            case "timeout":
                return await self._certainly(self._fail, "timeout", self._what_took_too_long())
            case why:
                self.turn = replaced(self.turn, stopped=why)
                return await self._certainly(self._cancel)

    async def _run_phase(self, name: PhaseName) -> None:
        """Leaves `turn` as the phase left it; where it was cut short, with what it had sent by then."""
        self.phase = name  # Before anything is awaited: from here on it is too late to steer this phase.
        try:
            await self._take_steering(name)
            turn = await self._tools.announce(self.turn, PhaseStarted, phase=name)
            self.turn = turn = replaced(turn, phase_started_at=self._tools.clock())
            with tracer.start_as_current_span(name), metrics.timed(metrics.phase_seconds.labels(name)):
                ended = await self._within_limits(name, turn)
            if ended is None or (self.stopping.why == "handed_back" and ended.finish_reason == "abort"):
                await self._cut_short(name)
            else:
                self.turn = await self._ended_phase(name, ended)
        except (Transient, Refused):
            await self._cut_short(name)
            raise
        finally:
            self.phase = None

    async def _ended_phase(self, name: PhaseName, turn: Turn) -> Turn:
        seconds = (self._tools.clock() - turn.phase_started_at).total_seconds()
        run = PhaseRun(
            phase=name,
            started_at=turn.phase_started_at,
            seconds=seconds,
            model=turn.model if name == "synthesis" else None,
            usage=turn.usage if name == "synthesis" else Usage(),
        )
        if name == "save":  # Its last events were written with it, and are sent when that is certain.
            return turn
        turn = replaced(turn, phases=[*turn.phases, run], next_phase=turn.next_phase + 1)
        turn = await self._tools.announce(turn, PhaseEnded, phase=name, seconds=seconds)
        if self.stopping.why is None and name != "synthesis":
            self._save_aside(turn)
        return turn

    async def _within_limits(self, name: PhaseName, turn: Turn) -> Turn | None:
        """None where it was told to stop and did not come to an end of its own."""
        spent = (self._tools.clock() - turn.started_at).total_seconds()
        limit = max(0.0, min(self._limits.phases[name], self._limits.turn - spent))
        work = asyncio.create_task(_as_task(PHASES[name](turn, self._tools)))
        told = asyncio.create_task(self.stopping.wait())
        waiting = {work} if name == "save" else {work, told}
        try:
            await asyncio.wait(waiting, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                if self.stopping.tell("timeout"):
                    self._too_long = name
                if self.stopping.is_listened_to:
                    await asyncio.wait({work}, timeout=_ENDS_IN_GOOD_ORDER_SECONDS)
            if work.done() and not (self.stopping.why is not None and work.exception() is not None):
                return work.result()
            return None
        finally:
            told.cancel()
            work.cancel()
            await asyncio.wait({work})

    async def _take_steering(self, name: PhaseName) -> None:
        said = sum(isinstance(event, Steered) for event in self.turn.events)
        for text in self._steering[said:]:
            self.turn = await self._tools.announce(self.turn, Steered, text=text, takes_effect=name)
        self.turn = replaced(self.turn, steering=list(self._steering))

    async def _cut_short(self, name: PhaseName) -> None:
        """What the phase had sent is asked back from the stream."""
        turn = self.turn
        seconds = (self._tools.clock() - turn.phase_started_at).total_seconds()
        events = await self._certainly(
            self._tools.announcements.join,
            turn.turn_id,
            turn.events,
            lambda index: PhaseEnded(index=index, attempt=turn.attempt, phase=name, seconds=seconds),
        )
        self.turn = replaced(turn, events=events, output=output_of(events))

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
            output=self.turn.output if self.turn.is_answered else "",
        )
        await self._save(self.turn)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    # --- endings ---

    async def _committed(self) -> TurnRecord:
        if self.turn.record is not None:
            return self.turn.record
        record = await read_record(self._tools.documents, self.turn.turn_id)
        if record is None:
            raise RuntimeError(f"recipe {self.turn.request.recipe} did not save turn {self.turn.turn_number}")
        return record

    async def _fail(self, reason: str, detail: str) -> TurnRecord:
        log.warning("turn %d failed: %s: %s", self.turn.turn_number, reason, detail)
        await self._save(self.turn)
        self.turn = await write_down(self.turn, "failed", self._tools, error=f"{reason}: {detail}")
        return await self._committed()

    async def _cancel(self) -> TurnRecord:
        """What was generated is kept, and the turn is never `turn.saved`."""
        await self._save(self.turn)
        self.turn = await write_down(self.turn, "cancelled", self._tools)
        return await self._committed()

    def _what_took_too_long(self) -> str:
        spent = (self._tools.clock() - self.turn.started_at).total_seconds()
        done = f"{len(self.turn.output)} characters of an answer were written until then"
        if spent >= self._limits.turn:
            return f"the turn did not end within {self._limits.turn:g} s (TURN_TIMEOUT_SECONDS); {done}"
        name = self._too_long
        limit = self._limits.phases[name]
        return f"{name} did not end within {limit:g} s ({name.upper()}_TIMEOUT_SECONDS); {done}"

    async def _tell(self, record: TurnRecord) -> None:
        """Tells of the end, to the readers and to everybody; again, where it was told before."""
        events = self.turn.events
        if self.turn.record is None:
            document = await self._certainly(self._tools.documents.read, record.turn_id, EVENTS)
            events = [decode_live(bytes(raw)) for raw in events_in(document or "")]
        for event in events[-2:]:  # The end of the last phase and of the turn; readers take an index once.
            await self._certainly(self._tools.announcements.emit, record.turn_id, event)
        steps: list[Awaitable[Any]] = [
            self._certainly(self._outcomes.leave_queue, self.turn.turn_number),
        ]
        if record.turn_number == self.turn.turn_number:  # Not where an old turn was asked for again.
            steps.append(self._certainly(self._outcomes.publish, outcome_of(record)))
            self._count(record)
        elif not is_same(self.turn.request, record):
            steps.append(self._certainly(self._outcomes.refuse, self.turn.turn_number, self.turn.request))
        await asyncio.gather(*steps)

    def _count(self, record: TurnRecord) -> None:
        if self.turn.record is not None:
            metrics.turns.labels(record.status).inc()
            seconds = (self._tools.clock() - self.turn.started_at).total_seconds()
            metrics.turn_seconds.labels(record.status).observe(seconds)
            if record.status == "saved" or record.why_cancelled != "replaced":
                self._tools.recent.add(record)

    # --- the lease ---

    def _lease(self, state: Any, turn: Turn) -> Lease:
        recent = turn.earlier
        record = self.record
        if state == "free" and record is not None and stays_in_session(record):
            recent = [*(turn_id for turn_id in recent if turn_id != record.turn_id), record.turn_id]
        return Lease(
            state=state,
            holder=self.held.lease.holder,
            turn_id=turn.turn_id,
            turn_number=turn.turn_number,
            attempt=turn.attempt,
            recent=recent[-_SESSION_TURNS:],
        )

    async def _save(self, turn: Turn) -> None:
        async with self._writing:
            self.held = await self._leases.save(self.held, self._lease("held", turn), turn)

    def _save_aside(self, turn: Turn) -> None:
        """While the next phase begins: the lock keeps the order, and the next save would fail as well."""
        self._checkpoint = asyncio.create_task(self._save(turn))
        self._checkpoint.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _give_back(self, state: Any, turn: Turn | None) -> None:
        async with self._writing:
            self.held = await self._leases.save(self.held, self._lease(state, self.turn), turn)

    async def _certainly(self, step: Callable[P, Awaitable[R]], *arguments: P.args, **named: P.kwargs) -> R:
        """Again and again while something is away: the turn has ended, only its end is not written yet."""
        while True:
            try:
                return await step(*arguments, **named)
            except Transient as error:
                log.info("turn %d waits at its end: %s", self.turn.turn_number, error)
                await asyncio.sleep(min(error.retry_in, 1.0))


def stays_in_session(record: TurnRecord) -> bool:
    return record.status == "saved" or (record.status == "cancelled" and record.why_cancelled != "replaced")


def is_same(request: TurnRequested, record: TurnRecord) -> bool:
    """The same turn asked for again, and not another one under its id."""
    return (request.user, request.session_id, request.input) == (
        record.user,
        record.session_id,
        record.input,
    )


async def _as_task(step: Awaitable[Turn]) -> Turn:
    return await step
