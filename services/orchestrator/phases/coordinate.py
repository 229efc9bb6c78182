"""Phase 4, coordinator: runs the calls that were planned, side by side where the plan allows it."""

import asyncio

from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.tools.tool import Caller, ToolResult
from services.orchestrator.turn.approval import key_of
from services.orchestrator.turn.found import Coordinated
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import CallResult, PlannedCall
from services.orchestrator.turn.waves import waves_of
from shared.contract.derivation import derive
from shared.contract.events import ToolEnded, ToolStarted, ToolWaiting


async def coordinate(turn: Turn, deps: Deps, phase: RunningPhase) -> Coordinated:
    allowed = set(deps.tools.allowed(turn.recipe.tools))
    found: list[CallResult] = []
    for wave in waves_of(turn.planned):
        for call in wave:
            await _announce(call, turn, deps, phase, allowed)
        results = await asyncio.gather(*(_result(call, turn, deps, phase, allowed) for call in wave))
        for result in results:
            await phase.announce(
                ToolEnded,
                call=result.id,
                tool=result.tool,
                seconds=result.seconds,
                ok=not result.is_error,
            )
        found += results
    return Coordinated(results=found)


async def _announce(
    call: PlannedCall, turn: Turn, deps: Deps, phase: RunningPhase, allowed: set[str]
) -> None:
    await phase.announce(ToolStarted, call=call.id, tool=call.tool)
    if call.tool in allowed and deps.tools.needs_approval(call.tool):
        await phase.announce(
            ToolWaiting,
            call=call.id,
            tool=call.tool,
            key=_key(call, turn),
            arguments=call.arguments,
            seconds=deps.limits.approval_seconds,
        )


async def _result(
    call: PlannedCall, turn: Turn, deps: Deps, phase: RunningPhase, allowed: set[str]
) -> CallResult:
    begun = deps.clock()
    found = await _made(call, turn, deps, phase) if call.tool in allowed else _unknown(call.tool, allowed)
    return derive(CallResult, call, found, seconds=(deps.clock() - begun).total_seconds())


async def _made(call: PlannedCall, turn: Turn, deps: Deps, phase: RunningPhase) -> ToolResult:
    within = deps.limits.approval_seconds if deps.tools.needs_approval(call.tool) else None
    async with phase.call(_key(call, turn), call.tool, within) as is_allowed:
        match is_allowed:
            case True:
                return await deps.tools.run(call.tool, call.arguments, derive(Caller, turn, turn.request))
            case False:
                return ToolResult(text="The user did not allow it.", is_error=True)
            case None:
                return ToolResult(text=f"Nobody allowed it within {within:g} seconds.", is_error=True)


def _unknown(name: str, allowed: set[str]) -> ToolResult:
    names = ", ".join(sorted(allowed)) or "none"
    return ToolResult(text=f"there is no tool {name} here; there are: {names}", is_error=True)


def _key(call: PlannedCall, turn: Turn) -> str:
    return key_of(len(turn.plans), call.id)
