"""Phase 3, planner: goals and tool calls, in rounds that know the results of those before."""

import msgspec

from services.orchestrator.domain.questions import plan_messages
from services.orchestrator.domain.thoughts import Plan
from services.orchestrator.domain.turn import Turn
from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps


async def plan(turn: Turn, deps: Deps) -> Turn:
    if turn.analysis is not None and not turn.analysis.needs_tools:
        return msgspec.structs.replace(turn, plans=[*turn.plans, Plan()])
    tools = deps.tools.described(deps.tools.allowed(turn.recipe.tools))
    turn, found = await ask_for(turn, deps, "MIND", "plan", plan_messages(turn, tools), Plan)
    return msgspec.structs.replace(turn, plans=[*turn.plans, found])
