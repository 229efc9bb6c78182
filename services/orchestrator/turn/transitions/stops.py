"""A turn that is told to stop: by its user, by a newer turn, or by a process that hands its turns back."""

from services.orchestrator.turn.commands import CutPhase, Reply
from services.orchestrator.turn.run_state import (
    Ending,
    HandingBack,
    Looking,
    Over,
    Pausing,
    RunState,
    Step,
    Telling,
    WhyStopped,
    Working,
    replaced,
    with_stop,
)
from services.orchestrator.turn.transitions.attempts import begin_attempt
from services.orchestrator.turn.transitions.checkpoints import reply_when_saved, save_and_reply
from services.orchestrator.turn.transitions.ends import had_ended
from shared.contract.requests import Controlled


def on_stopped(state: RunState, why: WhyStopped) -> Step:
    """The first reason counts. A newer turn waits for one that is being written down."""
    is_saving = state.phase == "save" and why != "handed_back"
    if state.stop is not None or is_saving or isinstance(state.stage, Ending | Telling | HandingBack | Over):
        return state, []
    return _stop(state, why)


def on_cancel(state: RunState, asker: int) -> Step:
    """Answered when it is kept, or when it is certain that it came too late."""
    if state.record is not None:
        return state, [had_ended(state, asker, state.record)]
    done = Controlled(turn_id=state.turn.turn_id, found="running", phase=state.phase, done=True)
    reply, is_stopped = Reply(asker, done), state.turn.stopped is not None
    if is_stopped and isinstance(state.stage, Ending):
        return reply_when_saved(state, reply)
    if isinstance(state.stage, Looking) and not state.stage.has_to_be_there and not is_stopped:
        state = with_stop(state, "cancelled")
    if state.is_committing or state.stop == "timeout":
        return replaced(state, cancels=(*state.cancels, reply)), []
    state, commands = (state, []) if is_stopped else _stop(state, "cancelled")
    state, more = save_and_reply(state, reply)
    return state, [*commands, *more]


def _stop(state: RunState, why: WhyStopped) -> Step:
    state = with_stop(state, why)
    match state.stage:
        case Working(phase=phase, is_cut=False) if phase != "save":
            return replaced(state, stage=replaced(state.stage, is_cut=True)), [CutPhase()]
        case Pausing(checkpoint=checkpoint) if checkpoint <= state.written:
            return begin_attempt(state)
        case _:
            return state, []
