"""A turn and the processes that run it, on paper: a lease, a folder and a stream, and effects that wait.

A test performs the effects in any order. `turn_promises` checks what must hold at each step.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from services.orchestrator.recipes.recipe import Chosen, PhaseName, Recipe
from services.orchestrator.turn.advance import advance
from services.orchestrator.turn.commands import (
    Announce,
    Begin,
    ChooseRecipe,
    Command,
    CountAnswers,
    CutPhase,
    ExtendPhase,
    FindRecord,
    FreeLease,
    HandBack,
    Rejoin,
    Reply,
    RunPhase,
    SaveCheckpoint,
    SendLater,
    TellEnd,
    WriteFolder,
)
from services.orchestrator.turn.endings import last_event_of, outcome_of, record_of
from services.orchestrator.turn.flow import HEARING, next_phase
from services.orchestrator.turn.found import Found, WrittenDown
from services.orchestrator.turn.labels import labels_of
from services.orchestrator.turn.live_events import story_of
from services.orchestrator.turn.run_state import Over
from services.orchestrator.turn.signals import (
    Announced,
    AnswerAsked,
    Begun,
    CallAsked,
    CallEnded,
    CheckpointWritten,
    EndTold,
    FolderWritten,
    LeaseGivenUp,
    LeaseLost,
    PhaseReturned,
    RecipeChosen,
    RecordFound,
    Rejoined,
    Signal,
    Taken,
)
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import PlannedCall
from shared.contract.events import (
    AnyLiveEvent,
    Event,
    LiveEvent,
    OutputDelta,
    OutputRestarted,
    PhaseEnded,
    Queued,
    Steered,
)
from shared.contract.requests import TurnRecord, TurnStatus
from tests.unit.orchestrator.turns.turn_process import Process
from tests.unit.orchestrator.turns.turn_promises import (
    Promises,
    check_change,
    check_fence,
    check_kept,
    check_results,
    check_story,
)
from tests.unit.samples import AT, requested

APPROVAL_SECONDS = 60.0
ASKS = "ask.first"
"""The tool that a person has to allow."""
OF_CLIENT = "get_weather"
"""The tool that the turn's client runs."""
_REQUEST = requested("t42", "Where?", user="alice", recipe="standard")


class World:
    def __init__(self, recipe: Recipe, *, is_fast: bool) -> None:
        """`is_fast`: a lease was always written a moment ago, so that no fence is."""
        self.now = AT
        self.is_fast = is_fast
        self._chosen = Chosen(name="standard", version="1", recipe=recipe)
        # The lease.
        self.holder: int | None = None
        self.is_free = False
        self.checkpoint: Turn | None = None
        self.attempt = 0
        self._heard: dict[str, list[PhaseName]] = {}
        """As of the checkpoint."""
        # What else lasts.
        self.stream: list[AnyLiveEvent] = []
        self.record: TurnRecord | None = None
        self.told: dict[str, Event] = {}
        self.promises = Promises()
        self.processes: list[Process] = []
        self._names = 0

    # --- processes come and go ---

    @property
    def may_be_taken(self) -> bool:
        return self.holder is None and not self.is_free

    def take(self) -> Process:
        """A process claims the turn: for the first time, or after another one."""
        self._names += 1
        self.attempt += 1
        turn = self.checkpoint or Turn(
            request=_REQUEST, turn_number=42, requested_at=AT, started_at=AT, phase_started_at=AT
        )
        turn = msgspec.structs.replace(turn, attempt=self.attempt)
        heard = {text: list(phases) for text, phases in self._heard.items()}
        process = Process(self._names, turn, heard, has_waited=self._names % 2 == 0)
        self.holder = process.name
        self.processes.append(process)
        self.send(process, Taken())
        return process

    def crash(self, process: Process) -> None:
        self.processes.remove(process)
        if self.holder == process.name:
            self.holder = None

    def declare_dead(self, process: Process) -> None:
        """It was only paused, and goes on believing that it has the turn."""
        assert not process.is_committing
        self.holder = None

    # --- signals ---

    def send(self, process: Process, signal: Signal) -> None:
        self.now += timedelta(seconds=1)
        before = process.state
        process.state, commands = advance(before, signal, self.now)
        check_change(before, process.state)
        process.has_lost_the_lease |= isinstance(signal, LeaseLost)
        assert not (process.has_lost_the_lease and commands), "nothing is done any more"
        for command in commands:
            self._accept(process, command)
        if isinstance(process.state.stage, Over):
            process.effects.clear()
            process.lease_writes.clear()
            process.timers.clear()
            process.phase = None

    def ask(self, process: Process, question: type[Any], **fields: Any) -> None:
        asker = len(process.asked)
        signal = process.asked[asker] = question(asker=asker, **fields)
        self.send(process, signal)

    # --- commands ---

    def _accept(self, process: Process, command: Command) -> None:
        match command:
            case SaveCheckpoint() | FreeLease() | HandBack():
                process.lease_writes.append(command)
            case RunPhase():
                self._begin_phase(process, command)
            case CutPhase():
                process.is_cut = process.phase is not None
            case SendLater(signal=signal):
                process.timers.append(signal)
            case Reply():
                self._hear_reply(process, command)
            case ExtendPhase() | CountAnswers():
                pass
            case Announce(events=events):
                if self.holder == process.name:
                    check_results(self.checkpoint, process.state.turn, events)
                process.effects.append(command)
            case WriteFolder(turn=turn):
                if self.holder == process.name:
                    check_fence(self.checkpoint, turn)
                process.effects.append(command)
            case _:
                process.effects.append(command)

    def _begin_phase(self, process: Process, command: RunPhase) -> None:
        assert process.phase is None, "one phase at a time"
        assert command.phase == next_phase(process.state.turn), "a finished phase is not run again"
        if command.phase in HEARING:
            told = [event.text for event in command.turn.events if isinstance(event, Steered)]
            assert told == command.turn.steering, "readers know what the phase hears"
        if command.phase == "save" and self.holder == process.name:
            check_fence(self.checkpoint, command.turn)
        process.phase, process.is_cut, process.calls, process.streamed = command, False, {}, []

    def _kept(self, process: Process) -> Turn | None:
        """The turn as it is in the lease of this process; None where it has lost it."""
        return self.checkpoint if self.holder == process.name else None

    def _hear_reply(self, process: Process, reply: Reply) -> None:
        asked = process.asked[reply.asker]
        self.promises.hear(asked, reply, process.state.turn.attempt, self._kept(process), self.record)
        if isinstance(asked, CallAsked):
            process.calls[asked.key] = "allowed" if reply.answer is True else "ended"

    # --- effects ---

    def write_lease(self, process: Process) -> None:
        """The first of those that wait: a process writes its lease in order."""
        write = process.lease_writes.popleft()
        if self.holder != process.name:
            return self.send(process, LeaseLost())
        match write:
            case SaveCheckpoint(number=number, turn=turn, is_fence=is_fence):
                if not (is_fence and self.is_fast):
                    self._keep(process, turn)
                return self.send(process, CheckpointWritten(number))
            case HandBack(turn=turn):
                self._keep(process, turn)
                self.holder = None
            case FreeLease():
                self.holder, self.is_free = None, True
        return self.send(process, LeaseGivenUp())

    def _keep(self, process: Process, turn: Turn) -> None:
        if self.checkpoint is not None:
            check_kept(self.checkpoint, turn)
        self.checkpoint, self.attempt = turn, turn.attempt
        self._heard = {text: list(phases) for text, phases in process.heard.items()}

    def perform(self, process: Process, effect: Command) -> None:
        process.effects.remove(effect)
        match effect:
            case FindRecord():
                self.send(process, RecordFound(self.record))
            case ChooseRecipe():
                self.send(process, RecipeChosen(self._chosen, [], ["standard"]))
            case Begin():
                self.send(process, Begun(self._first_word(effect)))
            case Announce(events=events):
                self.stream += events
                self.send(process, Announced(events))
            case Rejoin(turn=turn, phase=phase):
                self.send(process, Rejoined(self._join(turn, PhaseEnded, phase=phase, seconds=1.0)))
            case WriteFolder(turn=turn, status=status, error=error):
                self.send(process, FolderWritten(self._write(process, turn, status, error)))
            case TellEnd(turn=turn, record=record):
                assert record == self.record, "one outcome"
                self.stream += turn.events[-1:] if turn.record is not None else []
                outcome = outcome_of(record)
                assert self.told.setdefault(outcome.message_id, outcome) == outcome
                self.send(process, EndTold())
            case _:
                raise AssertionError(effect)

    def _first_word(self, begin: Begin) -> list[AnyLiveEvent]:
        turn = begin.turn
        if turn.attempt > 1:
            events = self._join(turn, OutputRestarted)
        else:
            names = {"turn_id": turn.turn_id, "turn_number": 42, "session_id": "kitchen", "user": "alice"}
            events = self._join(turn, Queued, **names)
        if begin.said_again is not None:
            events.append(OutputDelta(index=len(events), attempt=turn.attempt, text=begin.said_again))
            self.stream.append(events[-1])
        return events

    def _join(self, turn: Turn, kind: type[LiveEvent], **fields: Any) -> list[AnyLiveEvent]:
        events: list[Any] = story_of([*turn.events, *self.stream])
        events.append(kind(index=len(events), attempt=turn.attempt, **fields))
        self.stream.append(events[-1])
        return events

    def _write(self, process: Process, turn: Turn, status: TurnStatus, error: str | None) -> WrittenDown:
        if self.record is not None:
            return WrittenDown(record=None, events=turn.events)
        last_index = turn.next_index
        record = record_of(turn, labels_of(turn), status, self.now, last_index=last_index, error=error)
        events = [*turn.events, last_event_of(record)]
        check_story(self.stream, record, events)
        self.promises.check_end(record, process.heard)
        self.record = record
        return WrittenDown(record=record, events=events)

    # --- phases ---

    def announce(self, process: Process, kind: type[LiveEvent], **fields: Any) -> None:
        event: Any = process.state.turn.event_after([], kind, **fields)
        self.stream.append(event)
        self.send(process, Announced([event]))

    def stream_deltas(self, process: Process, texts: Sequence[str]) -> None:
        """The engine sends by itself; the process learns of it in the end."""
        turn = process.state.turn
        first = turn.next_index + len(process.streamed)
        process.streamed = [*process.streamed, *texts]
        self.stream += [
            OutputDelta(index=first + number, attempt=turn.attempt, text=text)
            for number, text in enumerate(texts)
        ]

    def may_answer(self, process: Process) -> bool:
        assert process.phase is not None
        self.send(process, AnswerAsked(heard=len(process.phase.turn.steering)))
        return process.state.is_answering

    def call(self, process: Process, call: PlannedCall) -> None:
        key = process.key(call)
        process.calls[key] = "asked"
        for_client = call.tool == OF_CLIENT
        seconds = APPROVAL_SECONDS if for_client or call.tool == ASKS else None
        self.ask(process, CallAsked, key=key, tool=call.tool, answer_seconds=seconds, for_client=for_client)

    def end_call(self, process: Process, key: str) -> None:
        process.calls[key] = "ended"
        self.send(process, CallEnded(key))

    def save(self, process: Process) -> None:
        phase, process.phase = process.phase, None
        assert phase is not None
        self.send(process, PhaseReturned(self._write(process, phase.turn, "saved", None)))

    def end_phase(self, process: Process, found: Found) -> None:
        phase, process.phase = process.phase, None
        assert phase is not None
        if phase.phase in HEARING:
            for text in phase.turn.steering:
                process.heard.setdefault(text, []).append(phase.phase)
        self.send(process, PhaseReturned(found))

    def break_off(self, process: Process, signal: Signal) -> None:
        process.phase = None
        self.send(process, signal)
