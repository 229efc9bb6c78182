"""Phase 6, validation: does the answer hold against what was found in memory and by tools?"""

from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.prompts.roles import validation_messages
from services.orchestrator.turn.found import Judged
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import Verdict
from shared.contract.events import OutputDelta


async def validation(turn: Turn, deps: Deps, phase: RunningPhase) -> Judged:
    verdict = await ask_for(turn, deps, phase, "MIND", validation_messages(turn), Verdict)
    if turn.recipe.hold_back and verdict.decision == "approve":
        await phase.announce(OutputDelta, text=turn.output)
    return Judged(verdict=verdict)
