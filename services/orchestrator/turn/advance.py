"""The one function that changes a turn which runs: a signal comes in, the new state and commands go out.

Each kind of signal has its function in `transitions`. A signal that comes too late for the stage that it is
about changes nothing.
"""

from datetime import datetime
from typing import assert_never

from services.orchestrator.turn.run_state import (
    Ending,
    Fencing,
    Keeping,
    Over,
    Pausing,
    RunState,
    Step,
)
from services.orchestrator.turn.signals import (
    Announced,
    AnswerAsked,
    ApprovalExpired,
    Begun,
    Broken,
    CallAsked,
    CallEnded,
    CancelAsked,
    CheckpointDue,
    CheckpointWritten,
    ControlSignal,
    DecisionAsked,
    EndTold,
    Failed,
    FolderWritten,
    LeaseGivenUp,
    LeaseLost,
    PauseOver,
    PhaseCut,
    PhaseReturned,
    PhaseSignal,
    QuestionSignal,
    RecipeChosen,
    RecordFound,
    Rejoined,
    RunSignal,
    Signal,
    SteeringAsked,
    Stopped,
    Taken,
    TimeUp,
)
from services.orchestrator.turn.transitions import (
    approvals,
    attempts,
    checkpoints,
    ends,
    phases,
    steering,
    stops,
)


def advance(state: RunState, signal: Signal, now: datetime) -> Step:
    if isinstance(state.stage, Over):
        return state, []
    match signal:
        case Announced() | PhaseReturned() | PhaseCut() | Rejoined() | TimeUp():
            return _on_phase(state, signal, now)
        case Stopped() | CancelAsked() | SteeringAsked() | DecisionAsked():
            return _on_control(state, signal, now)
        case AnswerAsked() | CallAsked() | CallEnded() | ApprovalExpired():
            return _on_question(state, signal, now)
        case _:
            return _on_run(state, signal, now)


def _on_run(state: RunState, signal: RunSignal, now: datetime) -> Step:
    match signal:
        case Taken():
            return attempts.take(state)
        case RecordFound(record=record):
            return attempts.on_record_found(state, record, now)
        case RecipeChosen():
            return attempts.on_recipe_chosen(state, signal)
        case Begun(events=events):
            return phases.on_begun(state, events, now)
        case Failed(failure=failure):
            return phases.on_failed(state, failure, now)
        case Broken(detail=detail):
            return attempts.on_broken(state, detail, now)
        case PauseOver(attempt=attempt):
            return attempts.on_pause_over(state, attempt)
        case FolderWritten(written=written):
            return ends.on_folder_written(state, written)
        case EndTold():
            return ends.on_end_told(state)
        case LeaseGivenUp() | LeaseLost():
            return ends.over(state)
        case CheckpointDue(phases=ended):
            return checkpoints.on_due(state, ended)
        case CheckpointWritten(number=number):
            return _on_written(state, number, now)
        case _:
            assert_never(signal)


def _on_written(state: RunState, number: int, now: datetime) -> Step:
    """Some stages wait for it."""
    state, replies = checkpoints.on_written(state, number)
    match state.stage:
        case Keeping(checkpoint=awaited) if awaited == number:
            state, commands = phases.next_step(state, now)
        case Fencing(checkpoint=awaited) if awaited == number:
            state, commands = phases.save_or_stop(state, now)
        case Pausing(checkpoint=awaited) as pausing if awaited == number:
            state, commands = attempts.pause(state, pausing)
        case Ending(checkpoint=awaited) as ending if awaited == number:
            state, commands = ends.write_folder(state, ending)
        case _:
            return state, replies
    return state, [*replies, *commands]


def _on_phase(state: RunState, signal: PhaseSignal, now: datetime) -> Step:
    match signal:
        case Announced(events=events):
            return phases.on_announced(state, events, now)
        case PhaseReturned():
            return phases.on_returned(state, signal, now)
        case PhaseCut():
            return phases.on_cut(state, now)
        case Rejoined(events=events):
            return phases.on_rejoined(state, events, now)
        case TimeUp(spent_seconds=spent):
            return phases.on_time_up(state, spent, now)
        case _:
            assert_never(signal)


def _on_control(state: RunState, signal: ControlSignal, now: datetime) -> Step:
    match signal:
        case Stopped(why=why):
            return stops.on_stopped(state, why)
        case CancelAsked(asker=asker):
            return stops.on_cancel(state, asker)
        case SteeringAsked(asker=asker, text=text):
            return steering.on_steering(state, asker, text)
        case DecisionAsked():
            return approvals.on_decision(state, signal, now)
        case _:
            assert_never(signal)


def _on_question(state: RunState, signal: QuestionSignal, now: datetime) -> Step:
    match signal:
        case AnswerAsked(heard=heard):
            return steering.on_answer(state, heard)
        case CallAsked():
            return approvals.on_call(state, signal, now)
        case CallEnded(key=key):
            return approvals.on_call_ended(state, key)
        case ApprovalExpired(key=key):
            return approvals.on_expired(state, key, now)
        case _:
            assert_never(signal)
