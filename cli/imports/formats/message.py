"""One message of an export."""

from typing import Any

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an import."""

    session_id: str
    message_id: str
    speaker: str
    text: str
    at: str | float | None
    """As it stands in the export."""


def table(value: object) -> dict[str, Any]:
    """Exports follow no contract. A value of another kind counts as missing."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Replaces halves of surrogate pairs, which UTF-8 cannot write."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def time(*values: object) -> str | float | None:
    """Returns the first that is there."""
    return next((value for value in values if isinstance(value, str | int | float) and value), None)
