"""Phase 0, query analysis: what is asked. Meanwhile memory is searched for the user's own words."""

import msgspec

from services.orchestrator.domain.questions import analysis_messages
from services.orchestrator.domain.thoughts import Analysis
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps
from services.orchestrator.phases.gather import history_of, search_ahead


async def analysis(turn: Turn, deps: Deps) -> Turn:
    search_ahead(turn, deps)
    turn = await history_of(turn, deps)
    turn, found = await ask_for(turn, deps, "REFLEX", "analysis", analysis_messages(turn), Analysis)
    return msgspec.structs.replace(turn, analysis=found)
