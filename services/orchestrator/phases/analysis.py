"""Phase 0, query analysis: what is asked. Meanwhile memory is searched for the user's own words."""

from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.phases.gather import search_early, with_history
from services.orchestrator.prompts.roles import analysis_messages
from services.orchestrator.turn.found import Analysed
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import Analysis


async def analysis(turn: Turn, deps: Deps, phase: RunningPhase) -> Analysed:
    search_early(turn, deps, phase, with_turns=False)
    turn = await with_history(turn, deps)
    found = await ask_for(turn, deps, phase, "REFLEX", analysis_messages(turn), Analysis)
    return Analysed(analysis=found, history=turn.history, memory_was_away=turn.memory_was_away)
