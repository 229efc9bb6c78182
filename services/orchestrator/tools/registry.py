"""All tools of this process by name, and how one is run: nothing that a tool does reaches the caller as an
exception, and none holds the caller for longer than its limit."""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, Protocol, get_args

import msgspec

from services.orchestrator.tools.arguments import described_arguments, faults_of
from services.orchestrator.tools.tool import NAME_PATTERN, BadArguments, Caller, Tool, ToolResult, ToolSource
from shared import metrics
from shared.errors import Refused, SettingsError, Transient

log = logging.getLogger(__name__)
Outcome = Literal["ok", "failed", "timeout", "refused", "unavailable", "unfit", "cancelled"]
"""What became of a call. unavailable: who is asked is away; unfit: its arguments are."""
_UNKNOWN: Final = "(unknown)"
"""No tool can be called so. What a model makes up must not become a label."""
_GRACE_SECONDS: Final = 0.5
"""For a tool that is cancelled to put things away."""
_MOST_SOURCES: Final = 50
_LONGEST_QUOTE: Final = 300
_LONGEST_REASON: Final = 500
_LONGEST_ERROR: Final = 4_000


class ToolSet(Protocol):
    """Tools that come and go, as those of other servers do."""

    def tools(self) -> Sequence[Tool]: ...


class _TookTooLong(Exception):
    """The tool was still running when its time was over."""


class Toolbox:
    def __init__(self, tools: Iterable[Tool], sets: Sequence[ToolSet] = ()) -> None:
        """Raises SettingsError where two tools have one name, or a name is none: one of one's own has it."""
        self._own: dict[str, Tool] = {}
        self._sets = sets
        self._left: set[asyncio.Task[ToolResult]] = set()
        for tool in tools:
            if re.fullmatch(NAME_PATTERN, tool.name) is None:
                raise SettingsError(
                    f"TOOLS_DIR: a tool cannot be called {tool.name!r}; write it like files.read"
                )
            if tool.name in self._own:
                raise SettingsError(f"TOOLS_DIR: two tools are called {tool.name}; call yours otherwise")
            self._own[tool.name] = tool
            for outcome in get_args(Outcome):  # At zero, so that the first call already is a rise.
                metrics.tool_calls.labels(tool.name, outcome)

    @property
    def names(self) -> list[str]:
        return list(self._tools())

    def get(self, name: str) -> Tool | None:
        return self._tools().get(name)

    def allowed(self, patterns: Iterable[str]) -> list[str]:
        """The names that fit one of the patterns: `clock.now`, `memory.*`, `*`."""
        wanted = list(patterns)
        return [name for name in self._tools() if any(fnmatchcase(name, each) for each in wanted)]

    def described(self, names: Iterable[str]) -> str:
        """For a prompt: each tool's name, what it does, and its arguments."""
        tools = self._tools()
        return "\n".join(
            f"{name}: {tools[name].description}\n{described_arguments(tools[name].schema)}"
            for name in names
            if name in tools
        )

    def schemas(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """JSON Schema of the arguments of each of those that are there."""
        tools = self._tools()
        return {name: tools[name].schema for name in names if name in tools}

    def needs_approval(self, name: str) -> bool:
        """Whether a person has to allow each call."""
        tool = self.get(name)
        return tool is not None and tool.approval

    async def run(self, name: str, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        """What the tool says, or an error that says what would work. Raises only where it is cancelled."""
        tool = self.get(name)
        if tool is None:
            metrics.tool_calls.labels(_UNKNOWN, "failed").inc()
            return _error(f"There is no tool {name[:100]!r}. There are: {', '.join(self.names) or 'none'}.")
        outcome: Outcome = "cancelled"
        try:
            with metrics.timed(metrics.tool_seconds.labels(tool.name)):
                outcome, result = await self._outcome(tool, arguments, caller)
            return result
        finally:
            metrics.tool_calls.labels(tool.name, outcome).inc()

    async def _outcome(
        self, tool: Tool, arguments: dict[str, Any], caller: Caller
    ) -> tuple[Outcome, ToolResult]:
        try:
            faults = faults_of(arguments, tool.schema)
            if faults:
                return "unfit", _does_not_fit(tool, faults)
            result = _fitted(await self._within_its_time(tool, arguments, caller), tool)
            return "failed" if result.is_error else "ok", result
        except Exception as error:
            return _outcome_of(error), _went_wrong(tool, error)

    def _tools(self) -> Mapping[str, Tool]:
        found = {tool.name: tool for each in self._sets for tool in each.tools()}
        return {**self._own, **{name: tool for name, tool in found.items() if name not in self._own}}

    async def _within_its_time(self, tool: Tool, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        """Raises _TookTooLong, and what the tool raises."""
        running = asyncio.create_task(_guarded(tool, arguments, caller), name=f"tool {tool.name}")
        try:
            await asyncio.wait({running}, timeout=tool.limits.seconds)
        except asyncio.CancelledError:
            await self._end(running, tool)
            raise
        if not running.done():
            await self._end(running, tool)
            raise _TookTooLong
        if running.cancelled():
            raise RuntimeError("it stopped by itself")
        return running.result()

    async def _end(self, running: asyncio.Task[ToolResult], tool: Tool) -> None:
        """A tool that does not end when it is told to is left alone: the caller goes on."""
        running.cancel()
        await asyncio.wait({running}, timeout=_GRACE_SECONDS)
        if running.done():
            if not running.cancelled():
                running.exception()  # Nobody asks for it any more.
            return
        log.warning("tool %s does not stop; it is left to itself", tool.name)
        self._left.add(running)
        running.add_done_callback(self._forget)

    def _forget(self, ended: asyncio.Task[ToolResult]) -> None:
        self._left.discard(ended)
        if not ended.cancelled():
            ended.exception()


async def _guarded(tool: Tool, arguments: dict[str, Any], caller: Caller) -> ToolResult:
    try:
        return await tool(arguments, caller)
    except SystemExit as error:  # asyncio would end the process.
        raise RuntimeError("it wanted to end the process") from error


def _fitted(result: Any, tool: Tool) -> ToolResult:
    """As much of it as the limits allow, as text that can be stored and sent."""
    if not isinstance(result, ToolResult):
        raise TypeError(f"it returned a {type(result).__name__} instead of a ToolResult")
    longest = tool.limits.result_characters
    text = result.text[: longest + 1]
    is_cut = len(text) > longest
    text = _plain(text[:longest])
    if is_cut:
        text += (
            f"\n[cut: these are the first {longest} of {len(result.text)} characters; ask for less at once]"
        )
    sources = [_fitted_source(source) for source in result.sources[:_MOST_SOURCES]]
    return msgspec.structs.replace(
        result,
        text=text,
        sources=sources,
        is_cut=is_cut or result.is_cut or len(result.sources) > _MOST_SOURCES,
    )


def _fitted_source(source: ToolSource) -> ToolSource:
    return msgspec.structs.replace(
        source, name=_plain(source.name[:_LONGEST_QUOTE]), quote=_plain(source.quote[:_LONGEST_QUOTE])
    )


def _plain(text: str) -> str:
    """Half characters cannot be written as UTF-8, and PostgreSQL takes no zero."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _does_not_fit(tool: Tool, faults: Sequence[str]) -> ToolResult:
    return _error(
        f"The arguments of {tool.name} do not fit: {'; '.join(faults)}. "
        f"Its arguments are:\n{described_arguments(tool.schema)}"
    )


def _outcome_of(error: Exception) -> Outcome:
    match error:
        case BadArguments():
            return "unfit"
        case _TookTooLong():
            return "timeout"
        case Refused():
            return "refused"
        case Transient():
            return "unavailable"
    return "failed"


def _went_wrong(tool: Tool, error: Exception) -> ToolResult:
    match error:
        case BadArguments():
            return _does_not_fit(tool, [str(error)])
        case _TookTooLong():
            return _error(
                f"{tool.name} did not answer within {tool.limits.seconds:g} seconds and was stopped. "
                "Ask it for less, or go on without it."
            )
        case Refused():
            field = f" ({error.field})" if error.field else ""
            return _error(f"{tool.name} refused{field}: {error.detail}")
        case Transient():
            return _error(f"{tool.name} cannot answer now: {error}. Go on without it.")
    log.warning("tool %s failed with %s", tool.name, type(error).__name__)
    log.debug("tool %s failed", tool.name, exc_info=error)
    return _error(f"{tool.name} failed: {_reason_of(error)}. Go on without it.")


def _reason_of(error: Exception) -> str:
    """Of a tool of one's own, even the words may fail."""
    try:
        return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
    except Exception:
        return type(error).__name__


def _error(text: str) -> ToolResult:
    return ToolResult(text=_plain(text[:_LONGEST_ERROR]), is_error=True)
