"""One message of an export, and what is left out of it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

import msgspec

_LONGEST: Final = 120_000
"""Characters of one message. The gateway takes 768 KiB as JSON, in which one has six bytes at most."""
_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".heic", ".heif", ".bmp", ".svg", ".tif", ".tiff"}
LeftOut = Counter[str]
"""How many of each kind were not text: `images`, `files`, `tool calls`, `thoughts` ..."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an import."""

    session_id: str
    message_id: str
    speaker: str
    text: str
    at: str | float | None
    """As it stands in the export."""

    def parts(self) -> Iterator["Message"]:
        """Yields the message, or several where it is longer than the gateway takes."""
        for place, start in enumerate(range(0, len(self.text), _LONGEST)):
            part = self.text[start : start + _LONGEST]
            message_id = f"{self.message_id}:{place + 1}" if place else self.message_id
            if part.strip():
                yield msgspec.structs.replace(self, text=part, message_id=message_id)


class OddConversation(Exception):
    """It cannot be read. The message says why."""


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


def joined(parts: list[str]) -> str:
    return "\n".join(part for part in parts if part.strip())


def file_kind(name: object, media_type: object = "") -> str:
    """Returns the kind that a file without text is counted as."""
    is_image = text(media_type).startswith("image/") or PurePath(text(name)).suffix.lower() in _IMAGES
    return "images" if is_image else "files"
