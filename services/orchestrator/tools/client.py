"""Tools that a turn's client offers with it, and runs itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.orchestrator.tools.arguments import faults_of, without_patterns
from services.orchestrator.tools.results import fitted, unfit
from services.orchestrator.tools.tool import ToolLimits, ToolResult
from shared.contract.events import ClientTool

_LIMITS: Final = ToolLimits()


def schemas_of(tools: Sequence[ClientTool]) -> dict[str, dict[str, Any]]:
    """By name the JSON Schema of the arguments. Of two tools with one name the last counts."""
    return {tool.name: _schema(tool) for tool in tools}


def _schema(tool: ClientTool) -> dict[str, Any]:
    given: dict[str, Any] = without_patterns(tool.parameters or {})
    return {"properties": {}, "required": [], **given, "type": "object"}


def unfit_call(name: str, schema: Mapping[str, Any], arguments: dict[str, Any]) -> ToolResult | None:
    """Why the client is not asked to make the call; None where its arguments fit."""
    faults = faults_of(arguments, schema)
    return unfit(name, schema, faults) if faults else None


def result_of(text: str) -> ToolResult:
    """What the client says came of a call, within the limits of any tool."""
    return fitted(ToolResult(text=text), _LIMITS)
