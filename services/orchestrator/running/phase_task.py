"""One phase of a turn, while it runs: its time, its end in good order, and what it asks of the turn."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Protocol

from services.orchestrator.phases.analysis import analysis
from services.orchestrator.phases.coordinate import coordinate
from services.orchestrator.phases.deps import Deps, Phase
from services.orchestrator.phases.early_search import EarlySearch
from services.orchestrator.phases.gate import gate
from services.orchestrator.phases.gather import gather
from services.orchestrator.phases.look import look
from services.orchestrator.phases.plan import plan
from services.orchestrator.phases.save import save
from services.orchestrator.phases.synthesis import synthesis
from services.orchestrator.phases.validation import validation
from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.running.failures import failure_of
from services.orchestrator.running.ports import Announcements
from services.orchestrator.running.stop_signal import PhaseStop
from services.orchestrator.turn.commands import RunPhase
from services.orchestrator.turn.run_state import RunState
from services.orchestrator.turn.signals import (
    Announced,
    AnswerAsked,
    CallAsked,
    CallEnded,
    Failed,
    PhaseCut,
    PhaseReturned,
    Signal,
    TimeUp,
)
from services.orchestrator.turn.thoughts import ModelCall
from shared.contract.events import LiveEvent
from shared.process import metrics
from shared.process.tracing import span

log = logging.getLogger(__name__)
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


class Run(Protocol):
    """The run of the turn, as far as a phase may reach it."""

    @property
    def state(self) -> RunState: ...

    def send(self, signal: Signal) -> None: ...

    async def ask(self, question: Callable[[int], Signal]) -> Any:
        """Sends what `question` makes of the asker's number; returns the reply."""
        ...


class PhaseTask:
    """A RunningPhase. `perform` returns the signal in which it ends."""

    def __init__(
        self,
        command: RunPhase,
        run: Run,
        deps: Deps,
        announcements: Announcements,
        early_search: EarlySearch,
    ) -> None:
        self.name = command.phase
        self.stop = PhaseStop()
        self.early_search = early_search
        self.calls: list[ModelCall] = []
        self.notes: list[str] = []
        self._turn = command.turn
        self._run = run
        self._deps = deps
        self._announcements = announcements
        self._begun = monotonic()
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self._work: asyncio.Task[None] | None = None
        self._is_cut = False
        self.extend(command.seconds)

    async def perform(self) -> Signal:
        self._work = asyncio.current_task()
        try:
            return PhaseCut() if self._is_cut else await self._result()
        finally:  # Also where the run is over before it: a timer would keep all of the turn in memory.
            for timer in self._timers:
                timer.cancel()

    async def _result(self) -> Signal:
        name = self.name
        try:
            with span(name), metrics.timed(metrics.phase_seconds.labels(name)):
                found = await PHASES[name](self._turn, self._deps, self)
        except asyncio.CancelledError:
            if self._work is None or not self._is_cut:
                raise
            if self._work.uncancel():  # The run itself is cancelled too.
                raise
            return PhaseCut()  # The task goes on with the turn.
        except Exception as error:
            return Failed(failure_of(error, f"{name} of turn {self._turn.turn_number}"))
        return PhaseReturned(found, self.calls, self.notes)

    # --- what its run does to it ---

    def extend(self, seconds: float) -> None:
        self._timers.append(self._loop.call_later(seconds, self._send_time_up))

    def _send_time_up(self) -> None:
        self._run.send(TimeUp(spent_seconds=monotonic() - self._begun))

    def cut(self) -> None:
        """An engine has some seconds to end what it says."""
        self._is_cut = True
        self.stop.tell()
        if self.stop.is_listened_to:
            self._timers.append(self._loop.call_later(_ENDS_IN_GOOD_ORDER_SECONDS, self._break_off))
        else:
            self._break_off()

    def _break_off(self) -> None:
        if self._work is not None:
            self._work.cancel()

    # --- what it asks of its run ---

    @property
    def next_index(self) -> int:
        return self._run.state.turn.next_index

    async def announce(self, kind: type[LiveEvent], **fields: Any) -> None:
        turn = self._run.state.turn
        event: Any = turn.event_after([], kind, **fields)
        await self._announcements.emit(turn.turn_id, event)
        self._run.send(Announced([event]))

    def may_answer(self, heard: int) -> bool:
        self._run.send(AnswerAsked(heard))
        return self._run.state.is_answering

    @asynccontextmanager
    async def call(
        self, key: str, tool: str, answer_seconds: float | None, *, for_client: bool
    ) -> AsyncIterator[bool | str | None]:
        answer = await self._run.ask(lambda asker: CallAsked(asker, key, tool, answer_seconds, for_client))
        try:
            yield answer
        finally:
            self._run.send(CallEnded(key))
