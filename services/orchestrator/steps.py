"""The phases of one attempt at a turn: announced, timed, limited, and cut short in good order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import ParamSpec, TypeVar

import msgspec

from services.orchestrator.domain.approval import seconds_spent
from services.orchestrator.domain.flow import HEARING
from services.orchestrator.domain.recipes import PhaseName
from services.orchestrator.domain.turn import PhaseRun, Turn
from services.orchestrator.phases.analysis import analysis
from services.orchestrator.phases.asking import request_id_of
from services.orchestrator.phases.coordinate import coordinate
from services.orchestrator.phases.deps import Deps, Phase
from services.orchestrator.phases.gate import gate
from services.orchestrator.phases.gather import gather
from services.orchestrator.phases.look import look
from services.orchestrator.phases.plan import plan
from services.orchestrator.phases.save import save
from services.orchestrator.phases.synthesis import synthesis
from services.orchestrator.phases.validation import validation
from shared import metrics
from shared.errors import Refused, Transient
from shared.events import (
    AnyLiveEvent,
    OutputDelta,
    OutputRestarted,
    PhaseEnded,
    PhaseStarted,
    Queued,
    Steered,
    output_of,
)
from shared.tracing import tracer

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
replaced = msgspec.structs.replace
PHASES: dict[PhaseName, Phase] = {
    "look": look,
    "analysis": analysis,
    "gate": gate,
    "gather": gather,
    "plan": plan,
    "coordinate": coordinate,
    "synthesis": synthesis,
    "validation": validation,
    "save": save,
}
_ENDS_IN_GOOD_ORDER_SECONDS = 3.0


class TimeLimits(msgspec.Struct, frozen=True):
    """Seconds."""

    turn: float
    phases: dict[PhaseName, float]


class Steps:
    """`turn` is what it has become by now; `phase` the one that runs."""

    def __init__(self, turn: Turn, deps: Deps, limits: TimeLimits) -> None:
        self.turn = turn
        self.phase: PhaseName | None = None
        self.answer = turn.output
        """What the last phase that ended has left of an answer: with it a later attempt goes on."""
        self._deps = deps
        self._limits = limits
        self._stopping = deps.stopping
        self._too_long: PhaseName = "gather"

    async def begin(self, *, has_waited: bool) -> None:
        """The first event of this attempt, behind all that was sent before. Raises Transient."""
        turn, deps = self.turn, self._deps
        if turn.attempt > 1:
            # The engine may still be at work for whoever had the turn before.
            earlier = replaced(turn, attempt=turn.attempt - 1)
            await deps.model.abort(request_id_of(earlier))
            events = await deps.announcements.join(
                turn.turn_id, turn.events, lambda sent: OutputRestarted(index=len(sent), attempt=turn.attempt)
            )
        elif has_waited:
            events = await deps.announcements.join(turn.turn_id, turn.events, self._queued)
        else:
            first = self._queued([])
            await deps.announcements.emit(turn.turn_id, first)
            events = [first]
        self.turn = replaced(turn, events=events)
        if turn.attempt > 1 and turn.is_shown:  # The answer stays; only its readers begin anew.
            self.turn = await deps.announce(self.turn, OutputDelta, text=turn.output)

    def _queued(self, sent: Sequence[AnyLiveEvent]) -> Queued:
        request = self.turn.request
        return Queued(
            index=len(sent),
            turn_id=request.turn_id,
            turn_number=self.turn.turn_number,
            session_id=request.session_id,
            user=request.user,
        )

    async def run(self, name: PhaseName) -> None:
        """Leaves `turn` as the phase left it; where it was cut short, with what it had sent by then."""
        self.phase = name  # Before anything is awaited: from here on it is too late to steer this phase.
        self._deps.steering.open()
        try:
            await self._take_steering(name)
            turn = await self._deps.announce(self.turn, PhaseStarted, phase=name)
            self.turn = turn = replaced(turn, phase_started_at=self._deps.clock())
            with tracer.start_as_current_span(name), metrics.timed(metrics.phase_seconds.labels(name)):
                ended = await self._within_limits(name, turn)
            if ended is None or (self._stopping.why == "handed_back" and ended.finish_reason == "abort"):
                await self._cut_short(name)
            else:
                self.turn = await self._ended_phase(name, ended)
        except (Transient, Refused):
            await self._cut_short(name)
            raise
        finally:
            self.phase = None

    async def _ended_phase(self, name: PhaseName, turn: Turn) -> Turn:
        seconds = (self._deps.clock() - turn.phase_started_at).total_seconds()
        run = PhaseRun(
            phase=name,
            started_at=turn.phase_started_at,
            seconds=seconds,
            calls=turn.calls[sum(len(earlier.calls) for earlier in turn.phases) :],
        )
        if name == "save":  # Its last events were written with it, and are sent when that is certain.
            return turn
        turn = replaced(turn, phases=[*turn.phases, run], approval=self._deps.approvals.state)
        self.answer = turn.output
        return await self._deps.announce(turn, PhaseEnded, phase=name, seconds=seconds)

    async def _within_limits(self, name: PhaseName, turn: Turn) -> Turn | None:
        """None where it was told to stop and did not come to an end of its own."""
        limit, begun = self._longest(name, turn), monotonic()
        work = asyncio.create_task(_as_task(PHASES[name](turn, self._deps)))
        told = asyncio.create_task(self._stopping.wait())
        waiting = {work} if name == "save" else {work, told}
        try:
            # Again where it has waited for a person meanwhile: that time does not count.
            while (left := limit + self._waited_since(turn) - (monotonic() - begun)) > 0:
                done, _ = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    break
            if not work.done():
                if self._stopping.tell("timeout"):
                    self._too_long = name
                if self._stopping.is_listened_to:
                    await asyncio.wait({work}, timeout=_ENDS_IN_GOOD_ORDER_SECONDS)
            if work.done() and not (self._stopping.why is not None and work.exception() is not None):
                return work.result()
            return None
        finally:
            told.cancel()
            work.cancel()
            await asyncio.wait({work})

    def _longest(self, name: PhaseName, turn: Turn) -> float:
        """At the phase's beginning: what both limits leave, and what it has waited before for a person."""
        spent = (turn.phase_started_at - turn.started_at).total_seconds()
        waited = seconds_spent(turn.approval, turn.phase_started_at)
        return min(self._limit_of(name), self._limits.turn - spent + waited)

    def _waited_since(self, turn: Turn) -> float:
        return self._deps.approvals.seconds_spent() - seconds_spent(turn.approval, turn.phase_started_at)

    async def _take_steering(self, name: PhaseName) -> None:
        said = list(self._deps.steering.texts)
        if name in HEARING:
            announced = sum(isinstance(event, Steered) for event in self.turn.events)
            for text in said[announced:]:
                self.turn = await self._deps.announce(self.turn, Steered, text=text, takes_effect=name)
        self.turn = replaced(self.turn, steering=said)

    async def _cut_short(self, name: PhaseName) -> None:
        """What the phase had sent is asked back from the stream."""
        turn = self.turn
        seconds = (self._deps.clock() - turn.phase_started_at).total_seconds()
        events = await certainly(
            self._deps.announcements.join,
            turn.turn_id,
            turn.events,
            lambda sent: PhaseEnded(index=len(sent), attempt=turn.attempt, phase=name, seconds=seconds),
        )
        said = list(self._deps.steering.texts)
        self.turn = replaced(turn, events=events, output=output_of(events), steering=said)

    def what_took_too_long(self) -> str:
        spent = (self._deps.clock() - self.turn.started_at).total_seconds()
        done = f"{len(self.turn.output)} characters of an answer were written until then"
        if spent >= self._limits.turn:
            return f"the turn did not end within {self._limits.turn:g} s (TURN_TIMEOUT_SECONDS); {done}"
        name = self._too_long
        return (
            f"{name} did not end within {self._limit_of(name):g} s ({name.upper()}_TIMEOUT_SECONDS); {done}"
        )

    def _limit_of(self, name: PhaseName) -> float:
        return self.turn.recipe.bounds.seconds.get(name, self._limits.phases[name])


async def certainly(step: Callable[P, Awaitable[R]], *arguments: P.args, **named: P.kwargs) -> R:
    """Again and again while something is away: for what has to be said or written, however late."""
    while True:
        try:
            return await step(*arguments, **named)
        except Transient as error:
            log.info("waiting: %s", error)
            await asyncio.sleep(min(error.retry_in, 1.0))


async def _as_task(step: Awaitable[Turn]) -> Turn:
    return await step
