"""How a turn comes to its one end, and how this process lets go of it."""

from datetime import datetime

from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.turn.commands import (
    FindRecord,
    FreeLease,
    HandBack,
    Reply,
    TellEnd,
    WriteFolder,
)
from services.orchestrator.turn.found import WrittenDown, with_found
from services.orchestrator.turn.run_state import (
    Ending,
    HandingBack,
    Looking,
    Over,
    RunState,
    Step,
    Telling,
    replaced,
)
from services.orchestrator.turn.transitions.checkpoints import save
from shared.contract.requests import Controlled, TurnRecord, TurnStatus


def conclude(state: RunState, now: datetime) -> Step:
    """What a turn does that was told to stop."""
    match state.stop:
        case "handed_back":
            return hand_back(state)
        case "timeout":
            return end(state, "failed", f"timeout: {_what_took_too_long(state, now)}")
        case _:
            return end(state, "cancelled")


def end(state: RunState, status: TurnStatus, error: str | None = None) -> Step:
    """Only the process that still has the lease may write the folder: the lease is written first."""
    state, commands = save(state)
    return replaced(state, stage=Ending(state.checkpoints, status, error)), commands


def write_folder(state: RunState, ending: Ending) -> Step:
    return state, [WriteFolder(turn=state.turn, status=ending.status, error=ending.error)]


def on_folder_written(state: RunState, written: WrittenDown) -> Step:
    if written.record is None:
        return replaced(state, stage=Looking(has_to_be_there=True)), [FindRecord(state.turn.turn_id)]
    return tell(replaced(state, turn=with_found(state.turn, written)), written.record)


def tell(state: RunState, record: TurnRecord) -> Step:
    is_cancelled = record.status == "cancelled"
    replies = [reply if is_cancelled else had_ended(state, reply.asker, record) for reply in state.cancels]
    state = replaced(state, stage=Telling(record), cancels=())
    return state, [*replies, TellEnd(turn=state.turn, record=record)]


def had_ended(state: RunState, asker: int, record: TurnRecord) -> Reply:
    """To a cancel that came too late, or once more."""
    done = record.status == "cancelled"
    return Reply(asker, Controlled(turn_id=state.turn.turn_id, found=record.status, done=done))


def on_end_told(state: RunState) -> Step:
    if not isinstance(state.stage, Telling):
        return state, []
    return state, [FreeLease(record=state.stage.record, history_from=state.turn.history_begins)]


def hand_back(state: RunState) -> Step:
    """As the next attempt, which goes on with the last answer that was complete."""
    turn = replaced(state.turn, output=state.answer)
    return replaced(state, turn=turn, stage=HandingBack()), [HandBack(turn=turn)]


def over(state: RunState) -> Step:
    """A user who still waits for a reply has to ask the process that runs the turn then."""
    return replaced(state, stage=Over(state.record), promises=(), cancels=(), calls={}), []


def _what_took_too_long(state: RunState, now: datetime) -> str:
    turn = state.turn
    spent = (now - turn.started_at).total_seconds()
    done = f"{len(turn.output)} characters of an answer were written until then"
    if state.too_long is None or spent >= state.limits.turn:
        return f"the turn did not end within {state.limits.turn:g} s (TURN_TIMEOUT_SECONDS); {done}"
    name, seconds = state.too_long, limit_of(state, state.too_long)
    return f"{name} did not end within {seconds:g} s ({name.upper()}_TIMEOUT_SECONDS); {done}"


def limit_of(state: RunState, phase: PhaseName) -> float:
    """The recipe's own, else the settings'; in seconds."""
    return state.turn.recipe.bounds.seconds.get(phase, state.limits.phases[phase])
