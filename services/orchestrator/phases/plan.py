"""Phase 3, planner: goals and tool calls, in rounds that know the results of those before."""

import msgspec

from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.prompts.roles import plan_messages
from services.orchestrator.prompts.schemas import plan_schema
from services.orchestrator.turn.found import Planned
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import Plan, PlannedCall
from shared.contract.events import Steered


async def plan(turn: Turn, deps: Deps, phase: RunningPhase) -> Planned:
    if turn.analysis is not None and not turn.analysis.needs_tools and not _has_heard_more(turn):
        return Planned(plan=Plan())
    names = deps.tools.allowed(turn.recipe.tools)
    messages = plan_messages(turn, deps.tools.described(names))
    schema = plan_schema(deps.tools.schemas(names))
    return Planned(plan=_told_apart(await ask_for(turn, deps, phase, "MIND", messages, Plan, schema)))


def _has_heard_more(turn: Turn) -> bool:
    """Than the analysis."""
    return any(isinstance(event, Steered) and event.takes_effect != "analysis" for event in turn.events)


def _told_apart(plan: Plan) -> Plan:
    """A person who allows a call names its id: no two calls have the same."""
    calls: list[PlannedCall] = []
    taken: set[str] = set()
    for number, call in enumerate(plan.calls, 1):
        name = call.id if call.id and call.id not in taken else f"{call.id}#{number}"
        taken.add(name)
        calls.append(msgspec.structs.replace(call, id=name))
    return msgspec.structs.replace(plan, calls=calls)
