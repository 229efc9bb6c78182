"""What a model is told of a call: the result within the tool's limits, or an error that says what would
work."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from services.orchestrator.tools.arguments import described_arguments
from services.orchestrator.tools.tool import BadArguments, Tool, ToolLimits, ToolResult, ToolSource
from shared.contract.errors import Refused, Transient

log = logging.getLogger(__name__)
Outcome = Literal["ok", "failed", "timeout", "refused", "unavailable", "unfit", "cancelled"]
"""unavailable: the service that the tool asks is away. unfit: the arguments do not fit."""
_MOST_SOURCES: Final = 50
_LONGEST_QUOTE: Final = 300
_LONGEST_REASON: Final = 500
_LONGEST_ERROR: Final = 4_000


class TookTooLong(Exception):
    """The tool was still running at the end of its time."""


def fitted(result: Any, limits: ToolLimits) -> ToolResult:
    """Cuts a result to its tool's limits, as text that can be stored and sent. Raises TypeError."""
    if not isinstance(result, ToolResult):
        raise TypeError(f"it returned a {type(result).__name__} instead of a ToolResult")
    longest = limits.result_characters
    text = result.text[: longest + 1]
    is_cut = len(text) > longest
    text = _storable(text[:longest])
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


def unknown_tool(name: str, known: Sequence[str]) -> ToolResult:
    return _error(f"There is no tool {name[:100]!r}. There are: {', '.join(known) or 'none'}.")


def unfit(name: str, schema: Mapping[str, Any], faults: Sequence[str]) -> ToolResult:
    return _error(
        f"The arguments of {name} do not fit: {'; '.join(faults)}. "
        f"Its arguments are:\n{described_arguments(schema)}"
    )


def failure_of(tool: Tool, error: Exception) -> tuple[Outcome, ToolResult]:
    match error:
        case BadArguments():
            return "unfit", unfit(tool.name, tool.schema, [str(error)])
        case TookTooLong():
            return "timeout", _error(
                f"{tool.name} did not answer within {tool.limits.seconds:g} seconds and was stopped. "
                "Ask it for less, or go on without it."
            )
        case Refused():
            field = f" ({error.field})" if error.field else ""
            return "refused", _error(f"{tool.name} refused{field}: {error.detail}")
        case Transient():
            return "unavailable", _error(f"{tool.name} cannot answer now: {error}. Go on without it.")
    log.warning("tool %s failed with %s", tool.name, type(error).__name__)
    log.debug("tool %s failed", tool.name, exc_info=error)
    return "failed", _error(f"{tool.name} failed: {_reason_of(error)}. Go on without it.")


def _reason_of(error: Exception) -> str:
    """In a custom tool, even the message of an error can raise."""
    try:
        return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
    except Exception:
        return type(error).__name__


def _error(text: str) -> ToolResult:
    return ToolResult(text=_storable(text[:_LONGEST_ERROR]), is_error=True)


def _fitted_source(source: ToolSource) -> ToolSource:
    return msgspec.structs.replace(
        source, name=_storable(source.name[:_LONGEST_QUOTE]), quote=_storable(source.quote[:_LONGEST_QUOTE])
    )


def _storable(text: str) -> str:
    """Without surrogates, which UTF-8 cannot have, and without zeros, which PostgreSQL does not store."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
