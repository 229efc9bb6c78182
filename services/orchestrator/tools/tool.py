"""The interface of a tool, and how to make a tool from a function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

from shared.contract.events import Origin

A = TypeVar("A", bound=msgspec.Struct)

Permission = Literal["read", "write", "network"]
"""read: it reads what Pandora stores. write: it changes something. network: it reaches beyond this
machine."""
NAME_PATTERN: Final = r"[a-z][a-z0-9_-]{0,31}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,63}){0,3}"


class ToolLimits(msgspec.Struct, frozen=True):
    seconds: float = 10.0
    result_characters: int = 8_000


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The user and the turn for which a tool is called."""

    user: str
    session_id: str
    turn_id: str
    turn_number: int
    requested_at: datetime | None = None
    """When the user sent the turn."""


class ToolSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source of a result."""

    name: str
    """Its mark in the text: `turn 12`, `example.org/page`."""
    url: str | None = None
    turn_id: str | None = None
    message_ids: list[str] = []
    quote: str = ""
    at: datetime | None = None
    origin: Origin | None = None
    """The origin that a search returned; None for other sources."""


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    sources: list[ToolSource] = []
    is_error: bool = False
    is_cut: bool = False


class Tool(Protocol):
    """A function that a model can call by name. Its result is data for the model, never an instruction."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def permission(self) -> Permission: ...
    @property
    def approval(self) -> bool:
        """Whether a person has to allow each call."""
        ...

    @property
    def limits(self) -> ToolLimits: ...
    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, which are one object."""
        ...

    async def __call__(self, arguments: dict[str, Any], caller: Caller) -> ToolResult: ...


class BadArguments(Exception):
    """The message names the argument that does not fit."""


@dataclass(frozen=True)
class FunctionTool(Generic[A]):
    """A tool whose arguments are a Struct."""

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
        """Raises BadArguments, and what the function raises."""
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
    """`description` tells a model what the tool does, and when to use it. The function may return only a
    text."""
    return FunctionTool(name, description, permission, arguments, function, approval, limits or ToolLimits())


def schema_of(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """One object schema without references. Raises TypeError where a type contains itself."""
    (whole,), parts = msgspec.json.schema_components([arguments], ref_template="{name}")
    schema = _inlined(whole, parts, ())
    schema.pop("description", None)  # The tool's own description replaces it.
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
