"""All tools of this process by name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol, get_args

from services.orchestrator.tools.arguments import described_tool
from services.orchestrator.tools.results import Outcome, unknown_tool
from services.orchestrator.tools.runner import ToolRunner
from services.orchestrator.tools.tool import NAME_PATTERN, Caller, Tool, ToolResult
from shared.process import metrics
from shared.process.environment import SettingsError

_UNKNOWN: Final = "(unknown)"
"""A label that no tool can have. Names that a model invents must not become labels."""


class ToolSet(Protocol):
    """Tools that come and go, like those of other servers."""

    def tools(self) -> Sequence[Tool]: ...


class Toolbox:
    def __init__(self, tools: Iterable[Tool], sets: Sequence[ToolSet] = ()) -> None:
        """Raises SettingsError where two tools have the same name, or a name is not allowed.

        Only custom tools can be wrong in this way, so the message names TOOLS_DIR.
        """
        self._own: dict[str, Tool] = {}
        self._sets = sets
        self._runner = ToolRunner()
        for tool in tools:
            if re.fullmatch(NAME_PATTERN, tool.name) is None:
                raise SettingsError(
                    f"TOOLS_DIR: a tool cannot be called {tool.name!r}; write it like files.read"
                )
            if tool.name in self._own:
                raise SettingsError(f"TOOLS_DIR: two tools are called {tool.name}; call yours otherwise")
            self._own[tool.name] = tool
            for outcome in get_args(Outcome):  # A counter starts at 0, so that the first call is a rise.
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
        """Name, description and arguments of each tool, for a prompt."""
        tools = self._tools()
        return "\n".join(
            described_tool(name, tools[name].description, tools[name].schema)
            for name in names
            if name in tools
        )

    def schemas(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """By name the JSON Schema of the arguments, of those tools that exist."""
        tools = self._tools()
        return {name: tools[name].schema for name in names if name in tools}

    def needs_approval(self, name: str) -> bool:
        """Whether a person has to allow each call."""
        tool = self.get(name)
        return tool is not None and tool.approval

    async def run(self, name: str, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        """Returns the tool's result, or an error that says what would work. Raises only CancelledError."""
        tool = self.get(name)
        if tool is None:
            metrics.tool_calls.labels(_UNKNOWN, "failed").inc()
            return unknown_tool(name, self.names)
        outcome: Outcome = "cancelled"
        try:
            with metrics.timed(metrics.tool_seconds.labels(tool.name)):
                outcome, result = await self._runner.run(tool, arguments, caller)
            return result
        finally:
            metrics.tool_calls.labels(tool.name, outcome).inc()

    def _tools(self) -> Mapping[str, Tool]:
        found = {tool.name: tool for each in self._sets for tool in each.tools()}
        return {**self._own, **{name: tool for name, tool in found.items() if name not in self._own}}
