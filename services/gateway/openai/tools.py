"""Tools of a chat completion: what a client offers, what a model called, and how a call is answered."""

from typing import Any, Final, Literal, TypeVar

import msgspec

from services.gateway.openai.chat_request import ChatMessage, ChatRequest
from shared.contract.errors import Refused
from shared.contract.requests import NamedTool, Tool, ToolCall

T = TypeVar("T")
Choice = Literal["none", "auto", "required"]
_CHOICES: Final = frozenset({"none", "auto", "required"})


class Function(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    arguments: str
    """JSON as the model wrote it."""


class CalledTool(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: Literal["function"] = "function"
    function: Function


class CalledToolPiece(CalledTool, frozen=True, kw_only=True):
    """A call in a stream. Here its first piece is the whole call."""

    index: int


class _OfferedFunction(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _OfferedTool(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["function"]
    function: _OfferedFunction


class _ChosenFunction(msgspec.Struct, frozen=True):
    name: str


class _ChosenTool(msgspec.Struct, frozen=True):
    type: Literal["function"]
    function: _ChosenFunction


def tools_of(chat: ChatRequest) -> list[Tool]:
    """Raises Refused for tools of another kind than functions."""
    return [
        Tool(
            name=one.function.name,
            description=one.function.description or "",
            parameters=one.function.parameters,
            strict=one.function.strict,
        )
        for one in _read(chat.tools or [], list[_OfferedTool], "tools")
    ]


def choice_of(chat: ChatRequest) -> Choice | NamedTool | None:
    """Raises Refused for another form of choice."""
    if not chat.tools and chat.tool_choice in ("none", "auto"):
        return None
    match chat.tool_choice:
        case None | "none" | "auto" | "required" as choice:
            return choice
        case str() as other:
            raise Refused(
                422, f"tool_choice is {other!r}; it may be {', '.join(sorted(_CHOICES))}", "tool_choice"
            )
        case named:
            return NamedTool(_read(named, _ChosenTool, "tool_choice").function.name)


def calls_of(message: ChatMessage) -> list[ToolCall]:
    """Those that the message says were made. Raises Refused."""
    called = _read(message.tool_calls or [], list[CalledTool], "messages")
    return [ToolCall(id=one.id, name=one.function.name, arguments=one.function.arguments) for one in called]


def called(call: ToolCall) -> CalledTool:
    return CalledTool(id=call.id, function=Function(name=call.name, arguments=call.arguments))


def called_piece(index: int, call: ToolCall) -> CalledToolPiece:
    whole = called(call)
    return CalledToolPiece(index=index, id=whole.id, function=whole.function)


def _read(sent: Any, kind: type[T], field: str) -> T:
    try:
        return msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        raise Refused(422, f"{field} cannot be read: {error}; only functions are taken", field) from error
