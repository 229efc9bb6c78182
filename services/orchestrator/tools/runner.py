"""Runs one tool: no exception of it reaches the caller, and it never takes longer than its limit."""

import asyncio
import logging
from typing import Any, Final

from services.orchestrator.tools.arguments import faults_of
from services.orchestrator.tools.results import Outcome, TookTooLong, failure_of, fitted, unfit
from services.orchestrator.tools.tool import Caller, Tool, ToolResult

log = logging.getLogger(__name__)
_GRACE_SECONDS: Final = 0.5
"""Time for a cancelled tool to clean up."""


class ToolRunner:
    def __init__(self) -> None:
        self._left: set[asyncio.Task[ToolResult]] = set()
        """Tools that did not stop when they were cancelled."""

    async def run(self, tool: Tool, arguments: dict[str, Any], caller: Caller) -> tuple[Outcome, ToolResult]:
        """Raises only CancelledError."""
        try:
            faults = faults_of(arguments, tool.schema)
            if faults:
                return "unfit", unfit(tool.name, tool.schema, faults)
            result = fitted(await self._within_its_time(tool, arguments, caller), tool.limits)
            return "failed" if result.is_error else "ok", result
        except Exception as error:
            return failure_of(tool, error)

    async def _within_its_time(self, tool: Tool, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        """Raises TookTooLong, and what the tool raises."""
        running = asyncio.create_task(_guarded(tool, arguments, caller), name=f"tool {tool.name}")
        try:
            await asyncio.wait({running}, timeout=tool.limits.seconds)
        except asyncio.CancelledError:
            await self._end(running, tool)
            raise
        if not running.done():
            await self._end(running, tool)
            raise TookTooLong
        if running.cancelled():
            raise RuntimeError("it stopped by itself")
        return running.result()

    async def _end(self, running: asyncio.Task[ToolResult], tool: Tool) -> None:
        """Cancels the tool. A tool that does not stop goes on alone; its result is dropped."""
        running.cancel()
        await asyncio.wait({running}, timeout=_GRACE_SECONDS)
        if running.done():
            _drop_result(running)
            return
        log.warning("tool %s does not stop; it is left to itself", tool.name)
        self._left.add(running)
        running.add_done_callback(self._left.discard)
        running.add_done_callback(_drop_result)


def _drop_result(ended: asyncio.Task[ToolResult]) -> None:
    """Reads the exception: otherwise asyncio logs that no code did."""
    if not ended.cancelled():
        ended.exception()


async def _guarded(tool: Tool, arguments: dict[str, Any], caller: Caller) -> ToolResult:
    try:
        return await tool(arguments, caller)
    except SystemExit as error:  # asyncio would end the process.
        raise RuntimeError("it wanted to end the process") from error
