"""When a turn is written into its lease, and what waits for that."""

from services.orchestrator.turn.commands import Reply, SaveCheckpoint
from services.orchestrator.turn.run_state import (
    Closing,
    Opening,
    RunState,
    Step,
    Working,
    replaced,
)


def save(state: RunState) -> Step:
    """A checkpoint of the turn as it is now."""
    number = state.checkpoints + 1
    return replaced(state, checkpoints=number), [SaveCheckpoint(number=number, turn=state.turn)]


def fence(state: RunState) -> Step:
    """The folder is written next, and only by the process that has the lease."""
    number = state.checkpoints + 1
    command = SaveCheckpoint(number=number, turn=state.turn, is_fence=True)
    return replaced(state, checkpoints=number), [command]


def reply_when_saved(state: RunState, *replies: Reply) -> Step:
    """As soon as all checkpoints that were asked for so far are in the lease."""
    if state.written >= state.checkpoints:
        return state, [*replies]
    promises = tuple((state.checkpoints, reply) for reply in replies)
    return replaced(state, promises=(*state.promises, *promises)), []


def save_and_reply(state: RunState, *replies: Reply) -> Step:
    state, commands = save(state)
    state, more = reply_when_saved(state, *replies)
    return state, [*commands, *more]


def on_due(state: RunState, phases: int) -> Step:
    """Where the next phase is still not over: the lease is written anyway when it is."""
    is_between = isinstance(state.stage, Opening | Working | Closing)
    return save(state) if is_between and len(state.turn.phases) == phases else (state, [])


def on_written(state: RunState, number: int) -> Step:
    due = [reply for needed, reply in state.promises if needed <= number]
    left = tuple(promise for promise in state.promises if promise[0] > number)
    return replaced(state, written=number, promises=left), [*due]
