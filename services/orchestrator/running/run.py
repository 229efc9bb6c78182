"""Runs one turn: hands each signal to `advance` and does what it commands. Nothing else writes the state."""

import asyncio
import contextvars
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from services.orchestrator.phases.early_search import EarlySearch
from services.orchestrator.queue.turn_lease import LeaseLost
from services.orchestrator.running.effects import Effects
from services.orchestrator.running.failures import failure_of
from services.orchestrator.running.phase_task import PhaseTask
from services.orchestrator.turn import signals
from services.orchestrator.turn.advance import advance
from services.orchestrator.turn.commands import (
    Command,
    CountAnswers,
    CutPhase,
    Effect,
    ExtendPhase,
    Reply,
    RunPhase,
    SendLater,
)
from services.orchestrator.turn.run_state import Over, RunState, replaced
from services.orchestrator.turn.signals import (
    Broken,
    CancelAsked,
    DecisionAsked,
    Signal,
    SteeringAsked,
    Stopped,
    Taken,
    WhyStoppedHere,
)
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.transitions import approvals
from shared.contract.errors import Refused, Transient
from shared.contract.requests import Controlled, TurnRecord
from shared.process import metrics

log = logging.getLogger(__name__)


Work = Coroutine[Any, Any, Signal]


class TurnRun:
    """A signal takes effect within the call that sends it: neither `advance` nor a command waits.

    What takes time runs in tasks of the run, and comes back as a signal.
    """

    def __init__(self, state: RunState, effects: Effects) -> None:
        self.state = state
        self._effects = effects
        self._deps = effects.deps
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._phase: PhaseTask | None = None
        self._early_search = EarlySearch()
        self._askers = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._context = contextvars.copy_context()
        self._over = asyncio.Event()
        self._error: Exception | None = None

    async def run(self) -> None:
        """Returns when the lease is given up or lost. Raises unexpected errors of `advance`."""
        self._context = contextvars.copy_context()
        try:
            async with self._group:
                self.send(Taken())
                await self._over.wait()
                for task in self._tasks:
                    task.cancel()
        finally:
            self._close()
        if self._error is not None:
            raise self._error

    def _close(self) -> None:
        self._over.set()
        for timer in self._timers:
            timer.cancel()
        self._early_search.drop()
        for reply in self._asked.values():
            if not reply.done():
                reply.set_exception(_not_here(self.turn))

    async def give_back(self) -> None:
        """After an unexpected error: another process shall go on. Raises LeaseLost."""
        await self._effects.checkpoints.hand_back(replaced(self.turn, output=self.state.answer))

    # --- how it stands ---

    @property
    def turn(self) -> Turn:
        return self.state.turn

    @property
    def record(self) -> TurnRecord | None:
        """How the turn ended, if it did."""
        return self.state.record

    @property
    def is_waiting(self) -> bool:
        """For a person or its client, and nothing else."""
        return approvals.is_waiting(self.state)

    @property
    def waits_for_client(self) -> bool:
        """For what its client's own tools return, and for no person."""
        return approvals.waits_for_client(self.state)

    @property
    def only_waits(self) -> bool:
        """No tool is at work: a process that takes the turn over does nothing twice."""
        return approvals.only_waits(self.state)

    # --- signals ---

    def stop(self, why: WhyStoppedHere) -> None:
        self.send(Stopped(why))

    def lose_lease(self) -> None:
        """Another process runs the turn now. Nothing more is said or written here."""
        self.send(self._lease_lost())

    def _lease_lost(self) -> Signal:
        metrics.turns_fenced.inc()
        log.warning("turn %d is run by another process", self.turn.turn_number)
        return signals.LeaseLost()

    async def cancel(self) -> Controlled:
        return await self._control(CancelAsked)

    async def steer(self, text: str) -> Controlled:
        return await self._control(lambda asker: SteeringAsked(asker, text))

    async def decide(self, call: str, answer: bool | str) -> Controlled:
        """Of the tool call with this key; of all that wait for a person where it is empty."""
        return await self._control(lambda asker: DecisionAsked(asker, call, answer))

    async def _control(self, question: Callable[[int], Signal]) -> Controlled:
        answer: Controlled = await self.ask(question)
        return answer

    async def ask(self, question: Callable[[int], Signal]) -> Any:
        """Sends what `question` makes of the asker's number; returns the reply.

        Raises Refused, and Transient where the turn is not run here any more.
        """
        if self._over.is_set():
            raise _not_here(self.turn)
        asker = next(self._askers)
        reply = self._asked[asker] = asyncio.get_running_loop().create_future()
        try:
            self.send(question(asker))
            return await reply
        finally:
            del self._asked[asker]

    def send(self, signal: Signal) -> None:
        for work in self._changed_by(signal):
            self._start(work)

    def _changed_by(self, signal: Signal) -> list[Work]:
        """Returns what takes time of that which the signal leads to. All the rest is done by then."""
        if self._over.is_set():
            return []
        left: list[Work] = []
        try:
            self.state, commands = advance(self.state, signal, self._deps.clock())
            left = [work for command in commands if (work := self._do(command)) is not None]
        except Exception as error:
            self._error = error
            self._over.set()
        if isinstance(self.state.stage, Over):
            self._over.set()
        return left

    # --- commands ---

    def _do(self, command: Command) -> Work | None:
        """Returns what takes time of it, and ends in a signal."""
        match command:
            case RunPhase():
                announcements = self._effects.announcements
                self._phase = PhaseTask(command, self, self._deps, announcements, self._early_search)
                return self._phase.perform()
            case ExtendPhase(seconds=seconds):
                if self._phase is not None:
                    self._phase.extend(seconds)
            case CutPhase():
                if self._phase is not None:
                    self._phase.cut()
            case SendLater():
                self._send_later(command)
            case CountAnswers(answer=answer, calls=calls):
                metrics.approvals.labels(answer).inc(calls)
            case Reply(asker=asker, answer=answer):
                self._reply(asker, answer)
            case _:
                return self._perform(command)
        return None

    def _start(self, work: Work) -> None:
        # A signal may come from a task of another request; its trace is not this turn's.
        task = self._group.create_task(self._go_on(work), context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go_on(self, work: Work) -> None:
        """With what follows from it, too: a task more would cost as much as most effects."""
        left = [work]
        while left:
            left = self._changed_by(await left[0])
            for other in left[1:]:
                self._start(other)

    async def _perform(self, effect: Effect) -> Signal:
        try:
            return await self._effects.perform(effect)
        except LeaseLost:
            return self._lease_lost()
        except Exception as error:
            return Broken(failure_of(error, f"turn {self.turn.turn_number}").detail)

    def _send_later(self, command: SendLater) -> None:
        if command.why:
            log.warning("turn %d goes on in %g s: %s", self.turn.turn_number, command.seconds, command.why)
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(command.seconds, self.send, command.signal))

    def _reply(self, asker: int, answer: Controlled | Refused | bool | str | None) -> None:
        reply = self._asked.get(asker)
        if reply is None or reply.done():
            return
        if isinstance(answer, Refused):
            reply.set_exception(answer)
        else:
            reply.set_result(answer)


def _not_here(turn: Turn) -> Transient:
    return Transient(f"turn {turn.turn_number} is not run here any more")
