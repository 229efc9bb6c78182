"""How an attempt begins, and what follows where one fails."""

from datetime import datetime

from services.orchestrator.turn.commands import (
    Announce,
    Begin,
    ChooseRecipe,
    Command,
    CutPhase,
    FindRecord,
    SendLater,
)
from services.orchestrator.turn.run_state import (
    Beginning,
    Choosing,
    HandingBack,
    Looking,
    Pausing,
    RunState,
    Step,
    Working,
    replaced,
)
from services.orchestrator.turn.signals import Failure, PauseOver, RecipeChosen
from services.orchestrator.turn.transitions.checkpoints import save
from services.orchestrator.turn.transitions.ends import conclude, end, hand_back, tell
from shared.contract.events import Paused
from shared.contract.requests import TurnRecord
from shared.language.shortening import one_line

MOST_FAILURES = 8
"""Attempts that fail, until the turn does."""
MOST_ATTEMPTS = 30
"""Processes may have died over a turn. Each hand-back counts as well."""
_LONGEST_PAUSE_SECONDS = 30.0
_BROKEN_PAUSE_SECONDS = 0.5
_PAUSE_SAID_SECONDS = 2.0
"""Readers do not notice shorter ones."""


def take(state: RunState) -> Step:
    return state, [FindRecord(state.turn.turn_id)]


def on_record_found(state: RunState, record: TurnRecord | None, now: datetime) -> Step:
    """A turn that was taken over after its folder was written: only its end has to be told."""
    if not isinstance(state.stage, Looking):
        return state, []
    if record is not None:
        return tell(state, record)
    if state.stage.has_to_be_there:
        return on_broken(
            state, f"the folder of turn {state.turn.turn_number} is there and cannot be read", now
        )
    return begin_attempt(state)


def begin_attempt(state: RunState) -> Step:
    """The turn keeps the recipe that it begins with."""
    if state.turn.chosen is None:
        return replaced(state, stage=Choosing()), [ChooseRecipe(request=state.turn.request)]
    return say_first_word(state)


def on_recipe_chosen(state: RunState, choice: RecipeChosen) -> Step:
    if not isinstance(state.stage, Choosing):
        return state, []
    turn = replaced(state.turn, chosen=choice.chosen, notes=[*state.turn.notes, *choice.notes])
    state = replaced(state, turn=turn)
    if choice.chosen is not None:
        return say_first_word(state)
    known = ", ".join(choice.known)
    return say_first_word(state, Failure("unknown_recipe", f"{turn.request.recipe!r}; known are: {known}"))


def say_first_word(state: RunState, failure: Failure | None = None) -> Step:
    """After the choice of a recipe: a client that has heard it may steer the turn."""
    turn = state.turn
    if turn.attempt > MOST_ATTEMPTS:
        failure = Failure("unavailable", f"given up after {MOST_ATTEMPTS} attempts")
    said_again = turn.output if turn.attempt > 1 and turn.is_shown else None
    begin = Begin(turn=turn, has_waited=state.has_waited, said_again=said_again)
    return replaced(state, stage=Beginning(failure)), [begin]


def fail(state: RunState, failure: Failure) -> Step:
    """Again, a little later each time, or for good."""
    if failure.retry_in is None or state.turn.failures >= MOST_FAILURES - 1:
        return end(state, "failed", f"{failure.reason}: {failure.detail}")
    if failure.retry_in >= state.limits.turn:
        too_long = f"longer than a turn may take (TURN_TIMEOUT_SECONDS={state.limits.turn:g})"
        return end(state, "failed", f"{failure.reason}: {failure.detail}; {too_long}")
    failures = state.turn.failures + 1
    turn = replaced(state.turn, attempt=state.turn.attempt + 1, failures=failures, output=state.answer)
    doubled = min(failure.retry_in * 2 ** (failures - 1), _LONGEST_PAUSE_SECONDS)
    seconds = max(doubled, failure.retry_in)  # What a server asks for is kept, however long it is.
    state, commands = save(replaced(state, turn=turn, is_answering=False))
    return replaced(state, stage=Pausing(state.checkpoints, seconds, failure.detail)), commands


def on_broken(state: RunState, detail: str, now: datetime) -> Step:
    """Another process may fare better, or this one in a moment. A turn that can never begin ends."""
    if isinstance(state.stage, Beginning) and state.turn.attempt > MOST_ATTEMPTS:
        return end(state, "failed", f"internal: {detail}") if state.stop is None else conclude(state, now)
    cut: list[Command] = [CutPhase()] if isinstance(state.stage, Working) else []
    pause = SendLater(_BROKEN_PAUSE_SECONDS, PauseOver(state.turn.attempt), detail)
    return replaced(state, stage=HandingBack()), [*cut, pause]


def pause(state: RunState, pausing: Pausing) -> Step:
    """Its checkpoint is written: the next attempt is known to a process that takes the turn over."""
    if state.stop is not None:
        return begin_attempt(state)
    later = SendLater(pausing.seconds, PauseOver(state.turn.attempt), pausing.why)
    if pausing.seconds < _PAUSE_SAID_SECONDS:
        return state, [later]
    turn = state.turn  # It ends the attempt before: a process that begins the next one does not wait for it.
    paused = Paused(
        index=turn.next_index, attempt=turn.attempt - 1, seconds=pausing.seconds, reason=one_line(pausing.why)
    )
    return state, [later, Announce(turn.turn_id, [paused])]


def on_pause_over(state: RunState, attempt: int) -> Step:
    if attempt != state.turn.attempt:
        return state, []
    match state.stage:
        case Pausing():
            return begin_attempt(state)
        case HandingBack():
            return hand_back(state)
        case _:
            return state, []
