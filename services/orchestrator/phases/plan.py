"""Phase 3, planner: goals and tool calls, in rounds that know the results of those before."""

import msgspec

from services.orchestrator.phases.asking import ask_for
from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.phases.turn_tools import TurnTools
from services.orchestrator.prompts.roles import plan_messages
from services.orchestrator.prompts.schemas import plan_schema
from services.orchestrator.turn.found import Planned
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import Plan, PlannedCall
from shared.contract.events import Steered


async def plan(turn: Turn, deps: Deps, phase: RunningPhase) -> Planned:
    tools = TurnTools(turn, deps.tools)
    if turn.analysis is not None and not turn.analysis.needs_tools and not _knows_more(turn, tools):
        return Planned(plan=Plan())
    messages = plan_messages(turn, tools.described())
    schema = plan_schema(tools.schemas())
    return Planned(plan=_told_apart(await ask_for(turn, deps, phase, "MIND", messages, Plan, schema)))


def _knows_more(turn: Turn, tools: TurnTools) -> bool:
    """Than the analysis: of what was said later, or of tools that the client offers."""
    steered = (event for event in turn.events if isinstance(event, Steered))
    return bool(tools.of_client) or any(event.takes_effect != "analysis" for event in steered)


def _told_apart(plan: Plan) -> Plan:
    """A person who allows a call names its id: no two calls have the same."""
    calls: list[PlannedCall] = []
    taken: set[str] = set()
    for number, call in enumerate(plan.calls, 1):
        name = call.id if call.id and call.id not in taken else f"{call.id}#{number}"
        taken.add(name)
        calls.append(msgspec.structs.replace(call, id=name))
    return msgspec.structs.replace(plan, calls=calls)
