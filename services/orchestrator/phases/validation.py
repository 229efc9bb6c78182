"""Phase 6, validation: does the answer hold against what was found in memory and by tools?"""

import msgspec

from services.orchestrator.domain.questions import validation_messages
from services.orchestrator.domain.thoughts import Verdict
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps
from shared.events import OutputDelta


async def validation(turn: Turn, deps: Deps) -> Turn:
    turn, found = await ask_for(turn, deps, "MIND", "validation", validation_messages(turn), Verdict)
    turn = msgspec.structs.replace(turn, verdicts=[*turn.verdicts, found])
    if turn.recipe.hold_back and found.decision == "approve":
        return await deps.announce(turn, OutputDelta, text=turn.output)
    return turn
