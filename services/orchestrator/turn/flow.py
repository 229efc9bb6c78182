"""Which phase comes next, from what the phases so far have found."""

from services.orchestrator.recipes.recipe import ORDER, PhaseName
from services.orchestrator.turn.state import Turn

HEARING: tuple[PhaseName, ...] = ("analysis", "gate", "plan", "synthesis")
"""They read all that the user has said."""
_ANSWERING: tuple[PhaseName, ...] = ("synthesis", "validation", "save")


def next_phase(turn: Turn) -> PhaseName:
    if not turn.phases:
        return "look" if turn.request.images else turn.recipe.phases[0]
    return _phase_after(turn, turn.phases[-1].phase) or "save"


def _phase_after(turn: Turn, done: PhaseName) -> PhaseName | None:
    match done:
        case "look":
            return turn.recipe.phases[0]
        case "gate" if turn.gate is not None and turn.gate.decision != "proceed":
            return "save" if turn.gate.text else "synthesis"
        case "plan" if not turn.planned:
            return _later(turn, "coordinate")
        case "coordinate" if not turn.plans[-1].is_done and len(turn.plans) < turn.recipe.bounds.rounds:
            return "plan"
        case "validation" if is_to_be_revised(turn):
            return "synthesis"
        case "save":
            return None
        case last:
            return _later(turn, last)


def is_to_be_revised(turn: Turn) -> bool:
    revisions = turn.recipe.bounds.revisions
    return bool(turn.verdicts) and turn.verdicts[-1].decision == "revise" and len(turn.verdicts) <= revisions


def is_rejected(turn: Turn) -> bool:
    """The last answer was not approved, and there will be no other."""
    is_answered_anew = bool(turn.phases) and turn.phases[-1].phase == "synthesis"
    if not turn.verdicts or is_answered_anew:
        return False
    return turn.verdicts[-1].decision != "approve" and not is_to_be_revised(turn)


def hears_next(turn: Turn, running: PhaseName | None) -> PhaseName | None:
    """The first phase that surely knows of what is said now; None where the answer is being given already.

    While it is planned, another plan may know of it before.
    """
    first: PhaseName | None = next_phase(turn) if running is None else _phase_after(turn, running)
    if first is None or running in _ANSWERING:
        return None
    later = [phase for phase in turn.recipe.phases if ORDER.index(phase) >= ORDER.index(first)]
    if "synthesis" not in later:
        return None
    return next(phase for phase in later if phase in HEARING)


def _later(turn: Turn, phase: PhaseName) -> PhaseName | None:
    later = (other for other in turn.recipe.phases if ORDER.index(other) > ORDER.index(phase))
    return next(later, None)
