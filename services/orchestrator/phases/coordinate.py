"""Phase 4, coordinator: has the calls made that were planned, side by side where the plan allows it."""

import asyncio
from collections.abc import Iterator, Sequence

from services.orchestrator.phases.deps import Deps, RunningPhase
from services.orchestrator.phases.turn_tools import TurnTools
from services.orchestrator.tools.client import result_of, unfit_call
from services.orchestrator.tools.tool import Caller, ToolResult
from services.orchestrator.turn.approval import key_of
from services.orchestrator.turn.found import Coordinated
from services.orchestrator.turn.state import Turn
from services.orchestrator.turn.thoughts import CallResult, PlannedCall
from services.orchestrator.turn.waves import waves_of
from shared.contract.derivation import derive
from shared.contract.events import ToolEnded, ToolStarted, ToolWaiting


async def coordinate(turn: Turn, deps: Deps, phase: RunningPhase) -> Coordinated:
    calls = _Calls(turn, deps, phase)
    found: list[CallResult] = []
    for wave in waves_of(turn.planned):
        await calls.announce(wave)
        results = await asyncio.gather(*map(calls.result, wave))
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


class _Calls:
    def __init__(self, turn: Turn, deps: Deps, phase: RunningPhase) -> None:
        self._turn = turn
        self._deps = deps
        self._phase = phase
        self._tools = TurnTools(turn, deps.tools)
        self._names = set(self._tools.names)
        self._unfit = dict(self._unfit_calls())
        """By its id why a call is not passed on to the client."""

    async def announce(self, wave: Sequence[PlannedCall]) -> None:
        left = sum(map(self._is_for_client, wave))
        for call in wave:
            await self._phase.announce(ToolStarted, call=call.id, tool=call.tool)
            for_client = self._is_for_client(call)
            left -= for_client
            if for_client or self._needs_approval(call):
                await self._phase.announce(
                    ToolWaiting,
                    call=call.id,
                    tool=call.tool,
                    key=self._key(call),
                    arguments=call.arguments,
                    seconds=self._deps.limits.approval_seconds,
                    for_client=for_client,
                    left=left if for_client else 0,
                )

    async def result(self, call: PlannedCall) -> CallResult:
        begun = self._deps.clock()
        found = await self._made(call)
        return derive(CallResult, call, found, seconds=(self._deps.clock() - begun).total_seconds())

    async def _made(self, call: PlannedCall) -> ToolResult:
        if call.tool not in self._names:
            return _unknown(call.tool, self._names)
        if call.id in self._unfit:
            return self._unfit[call.id]
        for_client = self._is_for_client(call)
        within = self._deps.limits.approval_seconds if for_client or self._needs_approval(call) else None
        async with self._phase.call(self._key(call), call.tool, within, for_client=for_client) as answer:
            match answer:
                case True:
                    caller = derive(Caller, self._turn, self._turn.request)
                    return await self._deps.tools.run(call.tool, call.arguments, caller)
                case False:
                    return ToolResult(text="The user did not allow it.", is_error=True)
                case None if for_client:
                    return ToolResult(text=f"The client did not answer within {within:g} s.", is_error=True)
                case None:
                    return ToolResult(text=f"Nobody allowed it within {within:g} seconds.", is_error=True)
                case str(text):
                    return result_of(text)

    def _is_for_client(self, call: PlannedCall) -> bool:
        return call.tool in self._tools.of_client and call.id not in self._unfit

    def _unfit_calls(self) -> Iterator[tuple[str, ToolResult]]:
        """Tools of Pandora check their arguments themselves."""
        for call in self._turn.planned:
            schema = self._tools.of_client.get(call.tool)
            if schema is not None and (unfit := unfit_call(call.tool, schema, call.arguments)) is not None:
                yield call.id, unfit

    def _needs_approval(self, call: PlannedCall) -> bool:
        return call.tool in self._names and self._tools.needs_approval(call.tool)

    def _key(self, call: PlannedCall) -> str:
        return key_of(len(self._turn.plans), call.id)


def _unknown(name: str, allowed: set[str]) -> ToolResult:
    names = ", ".join(sorted(allowed)) or "none"
    return ToolResult(text=f"there is no tool {name} here; there are: {names}", is_error=True)
