"""The phases of one attempt: announced, run, limited in time, cut short in good order."""

from datetime import datetime

from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.turn.approval import seconds_spent
from services.orchestrator.turn.commands import (
    Announce,
    CutPhase,
    ExtendPhase,
    Rejoin,
    RunPhase,
    SendLater,
)
from services.orchestrator.turn.flow import HEARING, is_rejected, next_phase
from services.orchestrator.turn.found import Answered, WrittenDown, with_found
from services.orchestrator.turn.run_state import (
    Beginning,
    Choosing,
    Closing,
    Fencing,
    Keeping,
    Opening,
    Pausing,
    Rejoining,
    RunState,
    Step,
    Working,
    replaced,
    with_stop,
)
from services.orchestrator.turn.signals import CheckpointDue, Failure, PhaseReturned
from services.orchestrator.turn.state import PhaseRun
from services.orchestrator.turn.transitions.attempts import fail, say_first_word
from services.orchestrator.turn.transitions.checkpoints import fence, save
from services.orchestrator.turn.transitions.ends import conclude, end, limit_of, on_folder_written
from shared.contract.events import AnyLiveEvent, PhaseEnded, PhaseStarted, Steered, output_of

_CHECKPOINT_SECONDS = 0.1
"""The phases of a fast turn are over before a checkpoint between them is of use."""


def next_step(state: RunState, now: datetime) -> Step:
    """The next phase, or the turn's end."""
    turn = state.turn
    if turn.finish_reason == "abort" and state.stop is None:  # The engine itself was told to stop.
        state = with_stop(state, "cancelled")
    if state.stop is not None:
        return conclude(state, now)
    if is_rejected(turn):
        return end(state, "failed", f"not_approved: {'; '.join(turn.verdicts[-1].reasons)}")
    phase = next_phase(turn)
    if phase == "save":
        state, commands = fence(state)
        return replaced(state, stage=Fencing(state.checkpoints)), commands
    return open_phase(state, phase)


def save_or_stop(state: RunState, now: datetime) -> Step:
    """The lease is still here. Readers hear of the turn's end, but not of the phase that writes it down."""
    if state.stop is not None:
        return conclude(state, now)
    turn = replaced(state.turn, phase_started_at=now)
    return _run(replaced(state, turn=turn, calls={}), Opening("save", len(turn.steering)), now)


def on_begun(state: RunState, events: list[AnyLiveEvent], now: datetime) -> Step:
    beginning = state.stage
    if not isinstance(beginning, Beginning):
        return state, []
    state = replaced(state, turn=replaced(state.turn, events=events))
    if state.stop is None and beginning.failure is not None:
        return fail(state, beginning.failure)
    return next_step(state, now)


def open_phase(state: RunState, phase: PhaseName) -> Step:
    """From here on it is too late to steer this phase."""
    opening: list[AnyLiveEvent] = []
    turn = state.turn
    if phase in HEARING:
        announced = sum(isinstance(event, Steered) for event in turn.events)
        for text in turn.steering[announced:]:
            opening.append(turn.event_after(opening, Steered, text=text, takes_effect=phase))
    opening.append(turn.event_after(opening, PhaseStarted, phase=phase))
    state = replaced(state, stage=Opening(phase, len(turn.steering)), is_answering=False, calls={})
    return state, [Announce(turn.turn_id, opening)]


def on_announced(state: RunState, events: list[AnyLiveEvent], now: datetime) -> Step:
    turn = replaced(state.turn, events=[*state.turn.events, *events])
    match state.stage:
        case Opening() as opening:
            turn = replaced(turn, phase_started_at=now)
            return _run(replaced(state, turn=turn), opening, now)
        case Closing(phase=phase):
            return _after_phase(replaced(state, turn=turn), phase, now)
        case Working() | Pausing():
            return replaced(state, turn=turn), []
        case _:
            return state, []


def _run(state: RunState, opening: Opening, now: datetime) -> Step:
    phase = opening.phase
    if state.stop is not None and phase != "save":
        return rejoin(state, now)
    waited = seconds_spent(state.turn.approval, now)
    seconds = _longest(state, phase, waited)
    view = replaced(state.turn, steering=state.turn.steering[: opening.heard])
    return replaced(state, stage=Working(phase, seconds, waited)), [RunPhase(phase, view, seconds)]


def on_returned(state: RunState, returned: PhaseReturned, now: datetime) -> Step:
    working, found = state.stage, returned.found
    if not isinstance(working, Working):
        return state, []
    if state.stop == "handed_back" and isinstance(found, Answered) and found.finish_reason == "abort":
        return rejoin(state, now)  # What the engine had said is no answer.
    if isinstance(found, WrittenDown):
        return on_folder_written(state, found)
    turn = with_found(state.turn, found)
    seconds = (now - turn.phase_started_at).total_seconds()
    run = PhaseRun(
        phase=working.phase, started_at=turn.phase_started_at, seconds=seconds, calls=returned.calls
    )
    turn = replaced(
        turn,
        phases=[*turn.phases, run],
        calls=[*turn.calls, *returned.calls],
        notes=[*turn.notes, *returned.notes],
    )
    state = replaced(state, turn=turn, answer=turn.output, stage=Closing(working.phase), calls={})
    ended = turn.event_after([], PhaseEnded, phase=working.phase, seconds=seconds)
    return state, [Announce(turn.turn_id, [ended])]


def _after_phase(state: RunState, phase: PhaseName, now: datetime) -> Step:
    if state.stop is None and phase == "coordinate":  # What tools have done should not be done again.
        state, commands = save(state)
        return replaced(state, stage=Keeping(state.checkpoints)), commands
    state, commands = next_step(state, now)
    if isinstance(state.stage, Opening):  # Else the lease is written anyway.
        due = CheckpointDue(phases=len(state.turn.phases))
        return state, [SendLater(_CHECKPOINT_SECONDS, due), *commands]
    return state, commands


# --- broken off ---


def rejoin(state: RunState, now: datetime, failure: Failure | None = None) -> Step:
    phase = state.phase
    if phase is None:
        raise RuntimeError(f"no phase of turn {state.turn.turn_number} runs that could break off")
    seconds = (now - state.turn.phase_started_at).total_seconds()
    command = Rejoin(turn=state.turn, phase=phase, seconds=seconds)
    return replaced(state, stage=Rejoining(phase, failure), calls={}), [command]


def on_cut(state: RunState, now: datetime) -> Step:
    return rejoin(state, now) if isinstance(state.stage, Working) else (state, [])


def on_failed(state: RunState, failure: Failure, now: datetime) -> Step:
    match state.stage:
        case Choosing():  # Its readers hear of the turn all the same.
            return say_first_word(state, failure)
        case Working():
            return rejoin(state, now, failure)
        case _:
            return state, []


def on_rejoined(state: RunState, events: list[AnyLiveEvent], now: datetime) -> Step:
    rejoining = state.stage
    if not isinstance(rejoining, Rejoining):
        return state, []
    state = replaced(state, turn=replaced(state.turn, events=events, output=output_of(events)))
    if state.stop is None and rejoining.failure is not None:
        return fail(state, rejoining.failure)
    return next_step(state, now)


# --- limited in time ---


def on_time_up(state: RunState, spent_seconds: float, now: datetime) -> Step:
    """The time that a phase has waited for a person does not count."""
    turn, working = state.turn, state.stage
    if not isinstance(working, Working) or working.is_cut:
        return state, []
    waited = seconds_spent(turn.approval, now) - working.waited_before
    left = working.seconds + waited - spent_seconds
    if left > 0:
        return state, [ExtendPhase(seconds=left)]
    if state.stop is None:
        state = replaced(with_stop(state, "timeout"), too_long=working.phase)
    return replaced(state, stage=replaced(working, is_cut=True)), [CutPhase()]


def _longest(state: RunState, phase: PhaseName, waited: float) -> float:
    """What both limits leave at the phase's beginning, without the time that the turn waited for a person."""
    spent = (state.turn.phase_started_at - state.turn.started_at).total_seconds()
    return min(limit_of(state, phase), state.limits.turn - spent + waited)
