"""Times that requests name, in ISO 8601 alone. A time without a zone is UTC."""

import re
from datetime import UTC, date, datetime, time
from typing import Final

from shared.contract.errors import Refused

_SHOWN_CHARACTERS: Final = 128
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")
"""In a query string a bare plus means a space."""


def read_moment(text: str, field: str, *, ends: bool = False) -> datetime:
    """Returns a time in UTC. A date alone is its beginning, or its last moment where it `ends`.

    Raises Refused (422), which names the field.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return _read_time(_LOST_PLUS.sub(r"\1+\2", text), field)
    return datetime.combine(day, time.max if ends else time.min, UTC)


def _read_time(text: str, field: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        shown = text[:_SHOWN_CHARACTERS]
        raise Refused(
            422, f"{field}: {shown!r} is no ISO 8601 time, like 2023-05-08T13:56:00Z", field
        ) from error
