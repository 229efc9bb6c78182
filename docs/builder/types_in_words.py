"""The type of a field in words: `list of text`, `whole number, 1 to 100 or null`."""

from collections.abc import Callable
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from shared.contract.events import AnySessionId, Domain, FileId, SessionId, TurnId, Url, User
from shared.contract.memories import MemoryId
from shared.contract.requests import EngineName

NAMED: Final[dict[Any, str]] = {
    TurnId: "turn id",
    SessionId: "session id",
    AnySessionId: "any session id",
    FileId: "file id",
    MemoryId: "memory id",
    User: "user",
    Domain: "domain",
    Url: "address",
    EngineName: "engine name",
}
_PLAIN: Final[dict[Any, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    bytes: "base64",
    datetime: "RFC 3339",
    date: "RFC 3339 date",
    NoneType: "null",
    Any: "anything",
    msgspec.Raw: "live event",
}

Link = Callable[[type[msgspec.Struct]], str]


def types_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The annotations of its fields, inherited ones included."""
    return get_type_hints(kind, include_extras=True)


def in_words(declared: Any, link: Link) -> str:
    """`link` puts the name of a struct into words."""
    if declared in NAMED:
        return NAMED[declared]
    if declared in _PLAIN:
        return _PLAIN[declared]
    origin, inner = get_origin(declared), get_args(declared)
    if origin is Annotated:
        return _with_bounds(in_words(inner[0], link), inner[1])
    if origin is Literal:
        return _one_of([f"`{value}`" for value in inner])
    if origin in (Union, UnionType):
        return _one_of([in_words(one, link) for one in inner if one is not msgspec.UnsetType])
    if origin is list:
        return f"list of {in_words(inner[0], link)}"
    if origin is dict:
        return "object" if inner[1] is Any else f"object of {in_words(inner[1], link)}"
    if isinstance(declared, type) and issubclass(declared, msgspec.Struct):
        return link(declared)
    raise TypeError(f"there are no words for {declared!r}; add them to _PLAIN in {__file__}, or to NAMED")


def _one_of(words: list[str]) -> str:
    return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} or {words[-1]}"


def _with_bounds(words: str, meta: msgspec.Meta) -> str:
    least, most = (meta.ge, meta.le) if meta.max_length is None else (meta.min_length, meta.max_length)
    unit = " characters" if words == "text" else ""
    if least is None and meta.min_length is not None:
        least = meta.min_length
    if least is not None and most is not None:
        return f"{words}, {least:,} to {most:,}{unit}"
    if most is not None:
        return f"{words}, at most {most:,}{unit}"
    return words if least is None else f"{words}, at least {least:,}{unit}"
