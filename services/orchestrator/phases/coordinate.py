"""Phase 4, coordinator: runs the calls that were planned, side by side where the plan allows it."""

import asyncio

import msgspec

from services.orchestrator.domain.thoughts import CallResult, PlannedCall
from services.orchestrator.domain.turn import Turn
from services.orchestrator.domain.waves import waves_of
from services.orchestrator.phases.deps import Deps
from services.orchestrator.tools.tool import Caller, ToolResult
from shared.events import ToolEnded, ToolStarted


async def coordinate(turn: Turn, deps: Deps) -> Turn:
    allowed = set(deps.tools.allowed(turn.recipe.tools))
    for wave in waves_of(turn.planned):
        for call in wave:
            turn = await deps.announce(turn, ToolStarted, call=call.id, tool=call.tool)
        results = await asyncio.gather(*(_result(call, turn, deps, allowed) for call in wave))
        for result in results:
            turn = await deps.announce(
                turn,
                ToolEnded,
                call=result.id,
                tool=result.tool,
                seconds=result.seconds,
                ok=not result.is_error,
            )
        turn = msgspec.structs.replace(turn, results=[*turn.results, *results])
    return turn


async def _result(call: PlannedCall, turn: Turn, deps: Deps, allowed: set[str]) -> CallResult:
    begun = deps.clock()
    if call.tool in allowed:
        found = await deps.tools.run(call.tool, call.arguments, _caller(turn))
    else:
        names = ", ".join(sorted(allowed)) or "none"
        found = ToolResult(text=f"there is no tool {call.tool} here; there are: {names}", is_error=True)
    return CallResult(
        id=call.id,
        tool=call.tool,
        arguments=call.arguments,
        text=found.text,
        sources=found.sources,
        is_error=found.is_error,
        is_cut=found.is_cut,
        seconds=(deps.clock() - begun).total_seconds(),
    )


def _caller(turn: Turn) -> Caller:
    request = turn.request
    return Caller(
        user=request.user,
        session_id=request.session_id,
        turn_id=turn.turn_id,
        turn_number=turn.turn_number,
    )
