"""What the phases find before and after an answer, as a model says it in JSON and as a turn keeps it.

Every field has a default, and each type's defaults are what a phase goes on with where no model could say
better: the turn proceeds with what the user said, calls no tool, and the answer stands.
"""

from typing import Any, Literal, TypeVar

import msgspec

from services.orchestrator.tools.tool import ToolResult
from shared.contract.events import Usage
from shared.contract.requests import RoleName

T = TypeVar("T", bound=msgspec.Struct)
LONGEST_TEXT = 1_000
"""Characters of one text in a thought."""
MOST_ITEMS = 8


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """Phase 0: what is asked."""

    intent: Literal["question", "statement", "command", "smalltalk"] = "question"
    topics: list[str] = []
    resolved: str = ""
    """The user's words with `it`, `she` and `there` replaced by what they stand for; empty: as they are."""
    needs_memory: bool = True
    needs_tools: bool = True
    queries: list[str] = []
    """What to search memory for, beside the user's own words."""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Phase 1: go on, ask the user back, or answer without looking further."""

    decision: Literal["proceed", "ask_back", "answer_now"] = "proceed"
    reason: str = ""
    text: str = ""
    """What the user is asked or told."""


class PlannedCall(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    tool: str
    arguments: dict[str, Any] = {}
    after: list[str] = []
    """Calls whose results it needs; the others run side by side."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Phase 3: what is to be found out, and by which tools."""

    goals: list[str] = []
    calls: list[PlannedCall] = []
    is_done: bool = True


class CallResult(ToolResult, frozen=True, kw_only=True):
    """Phase 4: the outcome of one call."""

    id: str
    tool: str
    arguments: dict[str, Any] = {}
    seconds: float = 0.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Phase 6: whether the answer holds against what was found."""

    decision: Literal["approve", "revise", "fail"] = "approve"
    reasons: list[str] = []


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a model, whatever came of it."""

    role: RoleName
    model: str
    usage: Usage
    queue_seconds: float
    first_token_seconds: float
    seconds: float
    is_retry: bool = False
    """What the model had said before could not be read."""


def read_reply(text: str, kind: type[T]) -> T | None:
    """The first object in what a model said; None where it is not one of this kind."""
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0:
        return None
    try:
        found = msgspec.json.decode(text[begin : end + 1], type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return _bounded(found)


def _bounded(found: T) -> T:
    """A model that does not stop must not fill the turn's document."""
    changes: dict[str, Any] = {}
    for name in found.__struct_fields__:
        value = getattr(found, name)
        if isinstance(value, str):
            changes[name] = value[:LONGEST_TEXT]
        elif isinstance(value, list):
            short = value[:MOST_ITEMS]
            changes[name] = [one[:LONGEST_TEXT] if isinstance(one, str) else one for one in short]
    return msgspec.structs.replace(found, **changes)
