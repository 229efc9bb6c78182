"""Phase 4, coordinator: runs the calls that were planned, side by side where the plan allows it."""

import asyncio

import msgspec

from services.orchestrator.domain.approval import key_of
from services.orchestrator.domain.thoughts import CallResult, PlannedCall
from services.orchestrator.domain.turn import Turn
from services.orchestrator.domain.waves import waves_of
from services.orchestrator.phases.deps import Deps
from services.orchestrator.tools.tool import Caller, ToolResult
from shared.events import ToolEnded, ToolStarted, ToolWaiting


async def coordinate(turn: Turn, deps: Deps) -> Turn:
    allowed = set(deps.tools.allowed(turn.recipe.tools))
    for wave in waves_of(turn.planned):
        for call in wave:
            turn = await deps.announce(turn, ToolStarted, call=call.id, tool=call.tool)
            if call.tool in allowed and deps.tools.needs_approval(call.tool):
                turn = await deps.announce(
                    turn,
                    ToolWaiting,
                    call=call.id,
                    tool=call.tool,
                    key=key_of(len(turn.plans), call.id),
                    arguments=call.arguments,
                    seconds=deps.limits.approval_seconds,
                )
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
    found = await _refusal(call, turn, deps, allowed)
    if found is None:
        with deps.approvals.calling():
            found = await deps.tools.run(call.tool, call.arguments, _caller(turn))
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


async def _refusal(call: PlannedCall, turn: Turn, deps: Deps, allowed: set[str]) -> ToolResult | None:
    """Why the call is not made; None where it may be."""
    if call.tool not in allowed:
        names = ", ".join(sorted(allowed)) or "none"
        return ToolResult(text=f"there is no tool {call.tool} here; there are: {names}", is_error=True)
    if not deps.tools.needs_approval(call.tool):
        return None
    within = deps.limits.approval_seconds
    match await deps.approvals.answer(key_of(len(turn.plans), call.id), call.tool, within):
        case True:
            return None
        case False:
            return ToolResult(text="The user did not allow it.", is_error=True)
        case None:
            return ToolResult(text=f"Nobody allowed it within {within:g} seconds.", is_error=True)


def _caller(turn: Turn) -> Caller:
    request = turn.request
    return Caller(
        user=request.user,
        session_id=request.session_id,
        turn_id=turn.turn_id,
        turn_number=turn.turn_number,
        requested_at=turn.requested_at,
    )
