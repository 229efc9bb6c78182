"""What is added to a turn while it runs: heard by the phase that is named, or refused."""

from services.orchestrator.recipes.recipe import PhaseName
from services.orchestrator.turn.commands import Reply
from services.orchestrator.turn.flow import hears_next
from services.orchestrator.turn.run_state import RunState, Step, replaced
from services.orchestrator.turn.transitions.checkpoints import save_and_reply
from shared.contract.errors import Refused
from shared.contract.requests import Controlled

_TOO_LATE = "too late: the answer is being given already; say it in a new turn of the session"


def on_steering(state: RunState, asker: int, text: str) -> Step:
    takes_effect = _hears(state)
    if takes_effect is None:
        return state, [Reply(asker, Refused(409, _TOO_LATE))]
    turn = state.turn
    answer = Controlled(
        turn_id=turn.turn_id, found="running", phase=state.phase, done=True, takes_effect=takes_effect
    )
    turn = replaced(turn, steering=[*turn.steering, text])
    return save_and_reply(replaced(state, turn=turn), Reply(asker, answer))


def _hears(state: RunState) -> PhaseName | None:
    if state.turn.chosen is None or state.stop is not None or state.is_committing or state.is_answering:
        return None
    return hears_next(state.turn, state.phase)


def on_answer(state: RunState, heard: int) -> Step:
    """A phase that has not heard all that was said may not answer."""
    return replaced(state, is_answering=heard == len(state.turn.steering)), []
