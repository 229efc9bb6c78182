"""What a tool is, and how one is made of a function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

from shared.events import Origin

A = TypeVar("A", bound=msgspec.Struct)

Permission = Literal["read", "write", "network"]
"""It reads what Pandora holds; it changes something; it reaches beyond this machine."""
NAME_PATTERN: Final = r"[a-z][a-z0-9_-]{0,31}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,63}){0,3}"


class ToolLimits(msgspec.Struct, frozen=True):
    seconds: float = 10.0
    result_characters: int = 8_000


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a tool is called."""

    user: str
    session_id: str
    turn_id: str
    turn_number: int
    requested_at: datetime | None = None
    """When the turn was asked for."""


class ToolSource(msgspec.Struct, frozen=True, kw_only=True):
    """What a result stands on."""

    name: str
    """Its mark in the text: `turn 12`, `example.org/page`."""
    url: str | None = None
    turn_id: str | None = None
    message_ids: list[str] = []
    quote: str = ""
    at: datetime | None = None
    origin: Origin | None = None
    """As a search knows it, where one found it."""


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    sources: list[ToolSource] = []
    is_error: bool = False
    is_cut: bool = False


class Tool(Protocol):
    """Something that a model may ask for by name. Its text is data for the model, never an instruction."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def permission(self) -> Permission: ...
    @property
    def approval(self) -> bool:
        """Whether a person has to say yes to each call."""
        ...

    @property
    def limits(self) -> ToolLimits: ...
    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments: one object."""
        ...

    async def __call__(self, arguments: dict[str, Any], caller: Caller) -> ToolResult: ...


class BadArguments(Exception):
    """The arguments do not fit; the message names the field."""


@dataclass(frozen=True)
class FunctionTool(Generic[A]):
    """A tool that takes its arguments as a Struct."""

    name: str
    description: str
    permission: Permission
    arguments: type[A]
    function: Callable[[A, Caller], Awaitable[ToolResult | str]]
    approval: bool
    limits: ToolLimits

    @cached_property
    def schema(self) -> dict[str, Any]:
        return schema_of(self.arguments)

    async def __call__(self, arguments: dict[str, Any], caller: Caller) -> ToolResult:
        """Raises BadArguments, and whatever the function raises."""
        try:
            read = msgspec.convert(arguments, self.arguments)
        except msgspec.ValidationError as error:
            raise BadArguments(str(error)) from error
        result = await self.function(read, caller)
        return ToolResult(text=result) if isinstance(result, str) else result


def make_tool(
    name: str,
    description: str,
    permission: Permission,
    arguments: type[A],
    function: Callable[[A, Caller], Awaitable[ToolResult | str]],
    *,
    approval: bool = False,
    limits: ToolLimits | None = None,
) -> Tool:
    """`description` is for a model: what the tool does, and when to use it. A text alone is a result, too."""
    return FunctionTool(name, description, permission, arguments, function, approval, limits or ToolLimits())


def schema_of(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """One plain object schema, references put in. Raises TypeError where a type contains itself."""
    (whole,), parts = msgspec.json.schema_components([arguments], ref_template="{name}")
    schema = _inlined(whole, parts, ())
    schema.pop("description", None)  # The tool's own description says it.
    return {"properties": {}, "required": [], **schema}


def _inlined(schema: Any, parts: dict[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(schema, list):
        return [_inlined(each, parts, inside) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = schema.get("$ref")
    if isinstance(name, str):
        if name in inside:
            raise TypeError(f"{name} contains itself: a tool's arguments must be plain")
        return _inlined(parts[name], parts, (*inside, name))
    named = {key: value for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    return {key: _inlined(value, parts, inside) for key, value in named.items()}
